from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.backup.catalog import Backup
from agents.backup.records import Record
from agents.backup.retention import Policy, decide
from tests.unit.agents.backup.making import NOON, manifest

NOW = NOON + timedelta(days=400)
POLICY = Policy(daily=timedelta(days=30), weekly=timedelta(weeks=8), monthly=timedelta(days=200))


def backup(
    days_ago: float, *, good: bool = True, held: bool = False, now: datetime = NOW
) -> Backup:
    at = now - timedelta(days=days_ago)
    records = [Record("verified", at, good)]
    if held:
        records.append(Record("hold", at))
    one = manifest(at)
    return Backup(one.name, one, "", tuple(records), 7)


def kept(backups: list[Backup], now: datetime = NOW, policy: Policy = POLICY) -> dict[str, str]:
    decisions = decide(backups, now, policy, written=now)
    return {one.name: one.reason for one in decisions if one.keep}


def test_what_is_young_stays_and_what_is_old_goes() -> None:
    young, old = backup(29), backup(300)
    assert kept([backup(1), young, old]).keys() == {backup(1).name, young.name}


def test_every_decision_has_a_reason() -> None:
    decisions = decide([backup(1), backup(40), backup(300)], NOW, POLICY, written=NOW)
    assert all(one.reason for one in decisions)
    assert decisions[0].reason == "it is 300 days old"


def test_the_last_of_each_week_and_month_stays_longer() -> None:
    daily = [backup(days) for days in range(300)]
    left = kept(daily)
    ages = sorted(days for days in range(300) if daily[days].name in left)
    assert ages[:31] == list(range(31))
    weekly = [days for days in ages if 30 < days <= 56]
    assert len(weekly) in {3, 4, 5}
    monthly = [days for days in ages if days > 56]
    assert 4 <= len(monthly) <= 6
    assert max(ages) <= 200


def test_a_good_one_of_the_week_is_better_than_a_later_broken_one() -> None:
    # Two days of one week, 40 days ago.
    monday = NOW - timedelta(days=40 + (NOW - timedelta(days=40)).weekday())
    good = backup((NOW - monday).days)
    broken = backup((NOW - monday).days - 1, good=False)
    left = kept([good, broken, backup(20), backup(1)], policy=Policy(weekly=timedelta(weeks=12)))
    assert good.name in left
    assert broken.name not in left


def test_the_last_good_one_stays_however_old_it_is() -> None:
    good, newer = backup(300), [backup(days, good=False) for days in (5, 60, 100)]
    assert kept([good, *newer])[good.name] == "it is the last good one"


def test_a_held_one_stays_and_goes_when_it_is_released() -> None:
    held = backup(300, held=True)
    assert kept([held, backup(30), backup(1)])[held.name] == "it is held"
    released = Backup(
        held.name, held.manifest, "", (*held.records, Record("release", NOW)), held.bytes
    )
    assert released.name not in kept([released, backup(30), backup(1)])


def test_what_can_not_be_read_stays() -> None:
    unreadable = Backup(manifest(NOW - timedelta(days=300)).name, None, "is no manifest")
    assert unreadable.name in kept([unreadable, backup(30), backup(1)])


class TestAClockThatIsWrong:
    BACKUPS = (backup(1), backup(40), backup(300))
    DAILY = tuple(backup(days) for days in range(1, 31))

    @pytest.mark.parametrize(
        ("jump", "why"),
        [
            (timedelta(days=-30), "before the newest backup"),
            (timedelta(days=8), "has jumped"),
            (timedelta(days=3650), "has jumped"),
        ],
    )
    def test_deletes_nothing_and_says_so(self, jump: timedelta, why: str) -> None:
        decisions = decide([*self.BACKUPS], NOW + jump, POLICY, written=NOW)
        assert all(one.keep and one.doubted and why in one.reason for one in decisions)

    def test_a_little_skew_is_none(self) -> None:
        assert len(kept([backup(-0.001), backup(20), backup(300)])) == 2

    def test_does_not_count_by_a_backup_that_was_taken_with_it(self) -> None:
        jumped = backup(-400)
        decisions = decide([*self.DAILY, jumped], jumped.at, POLICY, written=NOW)
        assert all(one.keep and one.doubted for one in decisions)
        assert "by the store's clock nothing is younger" in decisions[0].reason

    def test_nor_where_the_stores_clock_jumped_with_it(self) -> None:
        for days in range(7):
            after = [backup(-400 - one) for one in range(days + 1)]
            now = after[-1].at + timedelta(hours=1)
            decisions = decide([*self.DAILY, *after], now, POLICY, written=now)
            assert all(one.keep and one.doubted for one in decisions), days
            assert "came 401 days after the one before it" in decisions[0].reason

    def test_alone_makes_no_backup_older_than_the_store_shows(self) -> None:
        # Six days ahead, which a week without a backup would be as well.
        decisions = decide(self.DAILY, NOW + timedelta(days=5), POLICY, written=NOW)
        assert {one.name for one in decisions if not one.keep} <= {self.DAILY[-1].name}

    def test_that_is_behind_the_stores_deletes_nothing(self) -> None:
        decisions = decide([*self.BACKUPS], NOW - timedelta(hours=1), POLICY, written=NOW)
        assert all(one.doubted and "before the store's" in one.reason for one in decisions)


def test_a_pause_that_is_usual_here_is_no_doubt() -> None:
    monthly = [backup(days) for days in (1, 31, 62, 92, 300)]
    assert monthly[-1].name not in kept(monthly)


def test_a_week_after_an_outage_of_weeks_what_is_old_goes_again() -> None:
    before = [backup(days) for days in range(40, 70)]
    left = kept(
        [*before, *(backup(days) for days in range(8))],
        policy=Policy(monthly=timedelta(0), weekly=timedelta(0)),
    )
    assert len(left) == 38
    left = kept(
        [*before, *(backup(days) for days in range(9))],
        policy=Policy(monthly=timedelta(0), weekly=timedelta(0)),
    )
    assert len(left) == 9


def test_without_a_good_one_nothing_goes() -> None:
    assert len(kept([backup(300, good=False), backup(1, good=False)])) == 2
    assert decide([], NOW, POLICY, written=NOW) == []


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1000), st.booleans(), st.booleans()), max_size=30),
    st.integers(-2000, 2000),
)
def test_never_the_last_good_one_nor_a_held_one(
    found: list[tuple[float, bool, bool]], jump: int
) -> None:
    backups = [backup(days, good=good, held=held) for days, good, held in found]
    left = kept(backups, NOW + timedelta(days=jump))
    good = sorted((one for one in backups if one.good), key=lambda one: (one.at, one.name))
    assert not good or good[-1].name in left
    assert all(one.name in left for one in backups if one.held)
    assert bool(left) == bool(backups)
