from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowrex.consul.model import KVEntry
from flowrex.consul.watch import Missed, Reading
from flowrex.emergency import Emergency, Level
from flowrex.switch import Known, State, Switch, decide, doubt, moment

NOON = 1_800_000_000.0
AT_ONE = "2027-01-15T09:00:00+00:00"


class Times:
    """A monotonic clock and a wall clock that only a test moves."""

    def __init__(self, mono: float = 1000.0, wall: float = NOON) -> None:
        self.mono, self.wall = mono, wall

    def pass_by(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += seconds


def switch(times: Times, file: Path | None = None) -> Switch:
    return Switch(grace_s=30, file=file, clock=lambda: times.mono, wall=lambda: times.wall)


def reading(times: Times, value: bytes | None, index: int) -> Reading:
    entry = None if value is None else KVEntry("flowrex/emergency", value, index, 0, None)
    return Reading(entry, index, times.mono, changed=True)


def known(level: Level, index: int = 7, confirmed: float = 100.0, since: float = NOON) -> Known:
    return Known(Emergency(level), index, confirmed, since)


@pytest.mark.parametrize(
    ("last", "age", "level", "unknown"),
    [
        (Level.NORMAL, 0, Level.NORMAL, False),
        (Level.NORMAL, 30, Level.NORMAL, False),
        (Level.NORMAL, 30.1, Level.HALT, True),
        (Level.HALT, 0, Level.HALT, False),
        (Level.HALT, 1e6, Level.HALT, True),
        (Level.FLATTEN, 1e6, Level.FLATTEN, True),
        (Level.STOP, 31, Level.STOP, True),
    ],
)
def test_the_last_level_is_kept_and_after_the_grace_time_it_is_at_least_halt(
    last: Level, age: float, level: Level, unknown: bool
) -> None:
    state = decide(known(last), "away", now=100 + age, started=0, grace_s=30)
    assert (state.level, state.unknown) == (level, unknown)
    assert state.unknown_s == pytest.approx(age)
    assert bool(state.why) == (level > Level.NORMAL)


def test_without_a_reading_nothing_is_allowed_from_the_first_moment() -> None:
    state = decide(None, "", now=100, started=100, grace_s=30)
    assert (state.level, state.unknown, state.index) == (Level.HALT, True, 0)
    assert "never read" in state.why


def test_a_watch_that_hangs_without_a_word_is_unknown_too() -> None:
    assert decide(known(Level.NORMAL), "", now=140, started=0, grace_s=30).level is Level.HALT


def test_a_clock_that_went_back_is_no_age() -> None:
    assert decide(known(Level.NORMAL), "", now=50, started=0, grace_s=30).level is Level.NORMAL


@pytest.mark.parametrize(
    ("said", "index", "explicit", "believed"),
    [
        pytest.param(Emergency(Level.NORMAL), 8, False, False, id="gone later"),
        pytest.param(Emergency(Level.NORMAL), 8, True, True, id="off later"),
        pytest.param(Emergency(Level.HALT), 3, True, True, id="as high"),
        pytest.param(Emergency(Level.STOP), 3, True, True, id="higher"),
        pytest.param(Emergency(Level.NORMAL), 3, False, False, id="gone, and older"),
        pytest.param(Emergency(Level.NORMAL), 3, True, False, id="a bare off that is older"),
        pytest.param(Emergency(at="2001-01-01"), 3, True, False, id="an off of before"),
        pytest.param(Emergency(at="tomorrow"), 3, True, False, id="an off with no time"),
        pytest.param(Emergency(at="2099-01-01"), 3, True, True, id="an off of after"),
    ],
)
def test_a_consul_that_lost_its_data_does_not_end_an_emergency(
    said: Emergency, index: int, explicit: bool, believed: bool
) -> None:
    assert (doubt(known(Level.HALT), said, index, explicit=explicit) == "") == believed


def test_the_first_reading_is_always_believed() -> None:
    assert doubt(None, Emergency(), 1, explicit=False) == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00+00:00", 60),
        ("1970-01-01T00:01:00", 60),
        ("1970-01-01T01:01:00+01:00", 60),
        ("1970-01-01T00:01:00Z", 60),
        ("", None),
        ("now", None),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, seconds: float | None) -> None:
    assert moment(text) == seconds


def test_a_reading_holds_at_once() -> None:
    times = Times()
    one = switch(times)
    assert one.take(reading(times, b"off", 3))
    assert one.state().level is Level.NORMAL
    assert one.take(reading(times, b'{"level": "flatten", "reason": "loss", "by": "ops"}', 4))
    state = one.state()
    assert (state.level, state.index, state.unknown_s) == (Level.FLATTEN, 4, 0)
    assert state.why == "emergency level flatten is on by ops: loss"


def test_the_same_reading_is_no_change_and_makes_it_fresh() -> None:
    times = Times()
    one = switch(times)
    one.take(reading(times, b"off", 3))
    times.pass_by(29)
    assert not one.take(reading(times, b"off", 3))
    times.pass_by(29)
    assert one.state().level is Level.NORMAL


def test_consul_lost_and_found() -> None:
    times = Times()
    one = switch(times)
    one.take(reading(times, b"off", 3))
    times.pass_by(20)
    assert not one.take(Missed(times.mono, "no leader"))
    assert (one.state().level, one.state().unknown_s) == (Level.NORMAL, 20)
    times.pass_by(20)
    state = one.state()
    assert (state.level, state.unknown) == (Level.HALT, True)
    assert "no leader" in state.why
    one.take(reading(times, b"off", 3))
    assert one.state() == State(Level.NORMAL, Emergency(), 3, False, 0.0, "", written=True)


def test_an_emergency_survives_a_restart_without_consul(tmp_path: Path) -> None:
    times, file = Times(), tmp_path / "emergency.json"
    switch(times, file).take(reading(times, b'{"level": "cancel", "reason": "r"}', 9))
    after = Times(mono=3.0, wall=NOON + 5)  # another boot: another monotonic clock
    state = switch(after, file).state()
    assert (state.level, state.index, state.emergency.reason) == (Level.CANCEL, 9, "r")
    after.pass_by(1e6)
    assert switch(after, file).state().level is Level.CANCEL


def test_a_restart_does_not_start_the_grace_time_again(tmp_path: Path) -> None:
    times, file = Times(), tmp_path / "emergency.json"
    switch(times, file).take(reading(times, b"off", 9))
    times.pass_by(20)
    assert switch(times, file).state().level is Level.NORMAL
    times.pass_by(11)
    assert switch(times, file).state().level is Level.HALT


def test_readings_keep_the_file_fresh(tmp_path: Path) -> None:
    times, file = Times(), tmp_path / "emergency.json"
    one = switch(times, file)
    for _ in range(10):
        one.take(reading(times, b"off", 9))
        times.pass_by(10)
    assert switch(times, file).state().level is Level.NORMAL


def test_a_file_of_the_future_is_taken_for_too_old(tmp_path: Path) -> None:
    times, file = Times(), tmp_path / "emergency.json"
    switch(times, file).take(reading(times, b"off", 9))
    times.wall -= 3600
    assert switch(times, file).state().level is Level.HALT


@pytest.mark.parametrize(
    "content",
    [b"", b"off", b"\xff", b"[]", b"null", b'{"level": "off"}', b'{"level": "panic"}', b"[" * 9000],
)
def test_a_file_that_is_none_counts_as_no_reading(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "emergency.json"
    file.write_bytes(content)
    state = switch(Times(), file).state()
    assert (state.level, state.unknown) == (Level.HALT, True)


def test_a_file_that_cant_be_written_changes_nothing_of_what_holds(tmp_path: Path) -> None:
    times = Times()
    one = switch(times, tmp_path / "missing" / "emergency.json")
    one.take(reading(times, b"on", 3))
    assert one.state().level is Level.HALT


def test_the_file_holds_what_was_read(tmp_path: Path) -> None:
    times, file = Times(), tmp_path / "emergency.json"
    switch(times, file).take(reading(times, b"what?", 3))
    kept = json.loads(file.read_text())
    assert (kept["level"], kept["index"], kept["read_at"]) == ("halt", 3, NOON)
    assert kept["problem"]


def test_after_a_reset_of_consul_the_level_stays_and_only_an_explicit_off_ends_it() -> None:
    times = Times()
    one = switch(times)
    one.take(reading(times, b"on", 900))
    times.pass_by(60)
    assert not one.take(reading(times, None, 4))
    assert not one.take(reading(times, b"off", 5))
    assert one.state().level is Level.HALT
    off = Emergency(Level.NORMAL, "over", "ops", "2099-01-01T00:00:00+00:00").encode().encode()
    assert one.take(reading(times, off, 6))
    assert one.state().level is Level.NORMAL
    assert one.take(reading(times, b"on", 7))
    assert one.state().level is Level.HALT


def test_a_key_that_is_gone_ends_no_emergency_however_far_consul_has_counted(
    tmp_path: Path,
) -> None:
    # After a restore Consul counts on from where it was: its index alone would believe it.
    times, file = Times(), tmp_path / "emergency.json"
    one = switch(times, file)
    one.take(reading(times, b'{"level": "flatten"}', 900))
    times.pass_by(5)
    for index in (4, 901, 5000):
        assert not one.take(reading(times, None, index))
        assert one.state().level is Level.FLATTEN
    assert not switch(times, file).take(reading(times, None, 6000)), "nor after a restart"
    assert switch(times, file).state().level is Level.FLATTEN
    assert one.take(reading(times, b"off", 6001))
    assert one.state().level is Level.NORMAL
    assert not one.take(reading(times, None, 6002)), "normal as before"
    assert one.state().level is Level.NORMAL


def test_nobody_has_said_so_where_there_is_no_key(tmp_path: Path) -> None:
    times, file = Times(), tmp_path / "emergency.json"
    one = switch(times, file)
    one.take(reading(times, None, 8))
    assert (one.state().level, one.state().written) == (Level.NORMAL, False)
    assert not switch(times, file).state().written
    one.take(reading(times, b"off", 9))
    assert one.state().written
    times.pass_by(20)
    one.take(reading(times, b"off", 9))
    assert switch(times, file).state().written
