from __future__ import annotations

import json

from app.workers.lead import TTL_S, Lead
from flowrex import keys
from flowrex.testing.consul import FakeConsul


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lead(consul: FakeConsul, name: str, clock: Clock) -> Lead:
    return Lead(lambda: consul, name, clock=clock, wall=lambda: 7.0)


def test_one_of_two_leads_and_the_key_says_who() -> None:
    consul, clock = FakeConsul(), Clock()
    one, other = lead(consul, "one", clock), lead(consul, "other", clock)
    one.step()
    other.step()
    assert (one.held, other.held) == (True, False)
    entry = consul.kv_get(keys.flatten_lock())
    assert entry is not None
    assert json.loads(entry.value)["holder"] == "one"


def test_nobody_leads_before_a_first_round() -> None:
    assert not lead(FakeConsul(), "one", Clock()).held


def test_leadership_ends_by_the_own_clock_when_it_is_not_renewed() -> None:
    # As after a pause: Consul may have given the lock to another meanwhile.
    consul, clock = FakeConsul(), Clock()
    one = lead(consul, "one", clock)
    one.step()
    clock.now += TTL_S
    assert not one.held
    one.step()
    assert one.held


def test_consul_away_leaves_what_is_left_of_the_time() -> None:
    consul, clock = FakeConsul(), Clock()
    one = lead(consul, "one", clock)
    one.step()
    consul.down = True
    clock.now += TTL_S - 1
    one.step()
    before = one.held
    clock.now += 1
    assert (before, one.held) == (True, False)
    consul.down = False
    one.step()
    assert one.held


def test_an_expired_session_is_replaced_and_the_lock_is_anothers() -> None:
    consul, clock = FakeConsul(), Clock()
    one, other = lead(consul, "one", clock), lead(consul, "other", clock)
    one.step()
    entry = consul.kv_get(keys.flatten_lock())
    assert entry is not None and entry.session is not None
    consul.expire(entry.session)
    other.step()
    one.step()
    one.step()
    assert (one.held, other.held) == (False, True)


def test_stopping_gives_the_lock_back_at_once() -> None:
    consul, clock = FakeConsul(), Clock()
    one, other = lead(consul, "one", clock), lead(consul, "other", clock)
    one.step()
    one.stop()
    assert not one.held
    other.step()
    assert other.held
