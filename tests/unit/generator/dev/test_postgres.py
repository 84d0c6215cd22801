"""PostgreSQL's own programs, where the server behind them does not answer."""

from pathlib import Path

import pytest

from flowrex.errors import ServerUnreachable
from generator.dev import postgres
from generator.dev.layout import Layout


def test_a_server_that_never_answers_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "psql").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "psql").chmod(0o755)
    monkeypatch.setattr(postgres, "programs", lambda: tmp_path)
    monkeypatch.setattr(postgres, "_SLOW_S", 0.1)
    with pytest.raises(ServerUnreachable, match=r"psql got no answer .* within 0.1 s") as caught:
        postgres.query(Layout(tmp_path, 20000), "SELECT 'a-password'")
    assert "a-password" not in caught.value.message


def test_the_locks_of_a_killed_server_are_removed_and_nothing_else(tmp_path: Path) -> None:
    layout = Layout(tmp_path, 20000)
    home = layout.data("postgres")
    (home / "pgdata").mkdir(parents=True)
    locks = [home / "pgdata" / "postmaster.pid", home / ".s.PGSQL.20032.lock"]
    kept = home / "pgdata" / "PG_VERSION"
    for path in (*locks, kept):
        path.touch()
    postgres.forget_lock(layout, "postgres")
    assert [path for path in locks if path.exists()] == []
    assert kept.exists()
