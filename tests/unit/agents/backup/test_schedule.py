from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from agents.backup.schedule import Schedule
from flowrex.errors import ConfigurationError

NIGHTLY = Schedule("15 2 * * *")
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_the_next_run_follows_the_last() -> None:
    assert NIGHTLY.due(at(10, 2, 15), NOW) == at(11, 2, 15)


def test_however_many_were_missed_one_is_due() -> None:
    due = NIGHTLY.due(at(1, 2, 15), NOW)
    assert due == at(2, 2, 15) < NOW
    assert NIGHTLY.due(NOW, NOW) == at(11, 2, 15)


def test_what_never_ran_is_due_at_once() -> None:
    assert NIGHTLY.due(None, NOW) == NOW


def test_a_last_run_in_the_future_says_nothing_and_one_is_due_at_once() -> None:
    assert NIGHTLY.due(NOW + timedelta(days=400), NOW) == NOW


def test_it_is_meant_in_its_zone_also_when_the_clocks_change() -> None:
    berlin = Schedule("15 3 * * *", "Europe/Berlin")
    assert berlin.after(datetime(2026, 3, 27, 12, tzinfo=UTC)) == at(28, 2, 15)
    assert berlin.after(datetime(2026, 3, 29, 12, tzinfo=UTC)) == at(30, 1, 15)


class TestJitter:
    def test_it_is_the_same_for_one_node_and_spreads_several(self) -> None:
        late = [Schedule("0 * * * *", jitter=timedelta(minutes=10), seed=str(n)) for n in range(50)]
        found = [one.after(NOW) for one in late]
        assert found == [one.after(NOW) for one in late]
        assert len(set(found)) == 50
        assert all(at(10, 12) < one <= at(10, 13, 10) for one in found)

    def test_it_leaves_none_out(self) -> None:
        hourly = Schedule("0 * * * *", jitter=timedelta(minutes=50), seed="x")
        moment, runs = at(10, 0), []
        while moment < at(11, 0):
            moment = hourly.after(moment)
            runs.append(moment)
        assert len(runs) in {24, 25}
        steps = {after - before for before, after in pairwise(runs)}
        assert steps == {timedelta(hours=1)}


@pytest.mark.parametrize("cron", ["", "* * * *", "61 * * * *", "0 0 30 2 *", "tomorrow"])
def test_what_never_comes_due_is_refused(cron: str) -> None:
    with pytest.raises(ConfigurationError, match="no cron expression"):
        Schedule(cron)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(ConfigurationError, match="no time zone"):
        Schedule("* * * * *", zone)
