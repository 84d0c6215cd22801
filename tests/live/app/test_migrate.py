"""The migrations, and what the application's role may not do afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.app.conftest import Place
from tests.live.app.process import ROOT
from tests.live.app.servers import free_port


def test_a_second_run_changes_nothing(place: Place) -> None:
    place.hand_over(place.lease("flowrex_owner"))
    before = place.database.run("SELECT version_num FROM migrations.alembic_version")
    assert _migrate(place).returncode == 0
    assert place.database.run("SELECT version_num FROM migrations.alembic_version") == before


def test_two_at_once_both_succeed(place: Place) -> None:
    place.hand_over(place.lease("flowrex_owner"))
    place.database.run("DROP SCHEMA trading CASCADE; DROP SCHEMA migrations CASCADE")
    both = [_start(place), _start(place)]
    assert [process.wait(30) for process in both] == [0, 0]
    assert place.database.run("SELECT count(*) > 3 FROM trading.instruments") == "t"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM migrations.alembic_version",
        "INSERT INTO trading.instruments VALUES ('A_B')",
        "DELETE FROM trading.instruments",
        "CREATE TABLE trading.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "SELECT rolpassword FROM pg_authid",
    ],
)
def test_the_applications_role_is_refused(place: Place, sql: str) -> None:
    login = place.lease()
    done = subprocess.run(
        ["psql", "-X", "-h", "127.0.0.1", "-p", str(place.database.port), "-d", "flowrex",
         "-U", login["username"], "-c", sql],
        env={**os.environ, "PGPASSWORD": login["password"]}, capture_output=True, text=True,
    )  # fmt: skip
    assert "permission denied" in done.stderr


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"FLOWREX_DATABASE_PORT": "closed"}, 6, "connection refused"),
        ({"FLOWREX_DATABASE_CREDENTIALS": "/nonexistent"}, 3, "can't read /nonexistent"),
        ({"FLOWREX_DATABASE_PORT": "x"}, 3, "FLOWREX_DATABASE_PORT is 'x'"),
    ],
)
def test_what_is_wrong_is_a_sentence(
    place: Place, change: dict[str, str], status: int, said: str
) -> None:
    if change.get("FLOWREX_DATABASE_PORT") == "closed":
        change = {"FLOWREX_DATABASE_PORT": str(free_port())}
    place.environ |= change
    done = _migrate(place)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_refused_login_is_told_without_its_password(place: Place) -> None:
    place.hand_over({"username": "v_nobody", "password": "some-password"})
    done = _migrate(place)
    assert done.returncode == 6
    assert "Traceback" not in done.stderr
    assert "v_nobody" not in done.stderr
    assert "some-password" not in done.stderr


def _start(place: Place) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.migrate"],
        cwd=ROOT, env={**os.environ, **place.environ},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _migrate(place: Place) -> subprocess.CompletedProcess[str]:
    process = _start(place)
    stdout, stderr = process.communicate(timeout=60)
    return subprocess.CompletedProcess([], process.returncode, stdout, stderr)


def test_the_folder_has_one_line_of_revisions() -> None:
    from alembic.script import ScriptDirectory

    folder = ROOT / "app" / "migrations"
    heads = ScriptDirectory(str(folder)).get_heads()
    assert len(heads) == 1
    assert sorted(Path(folder, "versions").glob("*.py"))
