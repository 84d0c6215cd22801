"""Alarms are raised once, cleared once, and known after a restart."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agents.alarms import Alarm, Alarms, read
from flowrex.testing.clock import FakeClock

GAP = Alarm("wal gap", "A segment is missing.")


def test_one_stands_since_it_was_first_found(tmp_path: Path, clock: FakeClock) -> None:
    alarms, begun = Alarms(clock, tmp_path / "a.json"), clock.now()
    alarms.report("archive", [GAP])
    clock.time += timedelta(minutes=5)
    alarms.report("archive", [Alarm("wal gap", "Two are.")])
    (one,) = alarms.document()
    assert (one["since"], one["why"]) == (begun.isoformat(), "Two are.")


def test_who_looks_clears_its_own_only(tmp_path: Path, clock: FakeClock) -> None:
    alarms = Alarms(clock, tmp_path / "a.json")
    alarms.report("archive", [GAP])
    alarms.report("archiver", [])
    assert alarms.names == ["wal gap"]
    alarms.report("archive", [])
    assert alarms.names == []
    assert read(tmp_path / "a.json") == []


def test_a_restart_forgets_none_and_begins_none_anew(tmp_path: Path, clock: FakeClock) -> None:
    Alarms(clock, tmp_path / "a.json").report("archive", [GAP])
    before = read(tmp_path / "a.json")
    clock.time += timedelta(hours=1)
    again = Alarms(clock, tmp_path / "a.json")
    assert again.names == ["wal gap"], "before the first look"
    again.report("archive", [GAP])
    assert read(tmp_path / "a.json") == before


@pytest.mark.parametrize("text", ["", "[]", '{"a": {"b": 1}}', '{"a": {"b": {"since": "x"}}}'])
def test_a_damaged_record_is_none_for_who_looks_and_unknown_for_who_tells(
    tmp_path: Path, clock: FakeClock, text: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    assert Alarms(clock, path).names == []
    with pytest.raises(ValueError, match=r"a\.json|zone|isoformat|Expecting"):
        read(path)
