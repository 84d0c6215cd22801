import time
from pathlib import Path

import pytest

from flowrex.errors import UsageError
from generator.dev import logs


def test_the_last_lines_are_the_last(tmp_path: Path) -> None:
    log = tmp_path / "vault.log"
    log.write_text("".join(f"line {n}\n" for n in range(20_000)))
    assert logs.last_lines(log, 2) == ["line 19998", "line 19999"]
    assert logs.last_lines(log, 0) == []


def test_a_short_log_is_shown_whole(tmp_path: Path) -> None:
    log = tmp_path / "vault.log"
    log.write_text("one\ntwo")
    assert logs.last_lines(log, 40) == ["one", "two"]


def test_an_unknown_server_is_told_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "vault.log").touch()
    with pytest.raises(UsageError, match="nomad") as caught:
        logs.find(tmp_path, "nomad")
    assert caught.value.hint == "There are: vault."


def test_following_gives_what_is_added_also_to_a_log_that_was_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "vault.log"
    log.write_text("old\n")

    def add_half() -> None:
        with log.open("a") as handle:
            handle.write("first\nsec")

    def add_rest() -> None:
        with log.open("a") as handle:
            handle.write("ond\n")

    def set_aside() -> None:
        log.rename(tmp_path / "vault.log.1")
        log.write_text("third\n")

    happenings = iter([add_half, add_rest, set_aside])
    # What happens while it waits.
    monkeypatch.setattr(time, "sleep", lambda _: next(happenings)())
    lines = logs.follow(log)
    assert [next(lines), next(lines), next(lines)] == ["first", "second", "third"]
