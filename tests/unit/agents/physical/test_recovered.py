"""A cluster is recovered only where there is room for it, and what went wrong is said."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.backup import scratch
from agents.backup.hands import Hands
from agents.physical import recovered
from agents.physical.target import Target
from flowrex.errors import ConfigurationError, HardStop, NotFound, ServerRefused
from tests.unit.agents.physical.rig import Programs, Rig
from tests.unit.agents.physical.test_handlers import BOTH

Recover = Callable[..., None]
END = Target("end")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path, Programs(info=BOTH))


@pytest.fixture
def recover(rig: Rig, tmp_path: Path) -> Recover:
    def recover(target: Target = END) -> None:
        repository = asyncio.run(rig.stanza.repository())
        folder = tmp_path / "scratch"
        with recovered.recovered(rig.stanza, repository, target, folder, Hands()):
            raise AssertionError("there is no PostgreSQL in this test")

    return recover


def test_without_room_nothing_is_fetched(
    recover: Recover, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(ConfigurationError, match="the cluster takes") as caught:
        recover()
    assert "backup.scratch_dir" in str(caught.value.hint)
    assert rig.programs.ran == ["info"]


def test_a_moment_that_no_backup_reaches_fetches_nothing(recover: Recover, rig: Rig) -> None:
    with pytest.raises(NotFound):
        recover(Target("lsn", "0/1000000"))
    assert rig.programs.ran == ["info"]


@pytest.mark.parametrize("error", [ServerRefused("the store refuses"), HardStop("no")])
def test_whatever_goes_wrong_leaves_nothing_of_it(
    recover: Recover, rig: Rig, tmp_path: Path, error: Any
) -> None:
    rig.programs.fails["restore"] = error
    with pytest.raises(type(error)):
        recover()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_wal_that_ends_before_the_moment_is_said_in_words() -> None:
    log = "FATAL:  recovery ended before configured recovery target was reached"
    with (
        pytest.raises(ServerRefused, match="restore point m is not in the archive") as caught,
        recovered._reached(Target("name", "m")),
    ):
        raise ServerRefused(f"the scratch server does not start: {log}")
    assert "`end` restores all" in str(caught.value.hint)
    with pytest.raises(ServerRefused, match="out of memory"), recovered._reached(END):
        raise ServerRefused("out of memory")


def test_the_server_listens_to_nobody_and_archives_nothing(tmp_path: Path) -> None:
    settings = recovered._configured(scratch.Home(tmp_path, None))
    assert settings["listen_addresses"] == ""
    assert settings["archive_mode"] == "off"
    assert settings["hot_standby"] == "off", "nobody connects before the moment is reached"
    assert (tmp_path / "pg_hba.conf").read_text() == "local all all trust\n"
    assert settings["hba_file"] == str(tmp_path / "pg_hba.conf")


def test_its_programs_are_of_the_clusters_own_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "PG_VERSION").write_text("15\n")
    monkeypatch.setattr(recovered, "_DEBIAN", tmp_path / "lib")
    assert recovered._programs(tmp_path) is None
    (tmp_path / "lib/15/bin").mkdir(parents=True)
    (tmp_path / "lib/17/bin").mkdir(parents=True)
    assert recovered._programs(tmp_path) == str(tmp_path / "lib/15/bin")
