from __future__ import annotations

from app.drain import Drain


def test_it_is_not_active_before_it_began() -> None:
    drain = Drain()
    assert not drain.active
    assert not drain.over(1e9, drain_s=0)


def test_it_is_active_at_once_and_over_after_its_seconds() -> None:
    drain = Drain()
    assert drain.begin(100.0)
    assert drain.active
    assert not drain.over(104.9, drain_s=5)
    assert drain.over(105.0, drain_s=5)


def test_a_second_signal_does_not_prolong_it() -> None:
    drain = Drain()
    drain.begin(100.0)
    assert not drain.begin(104.0)
    assert drain.over(105.0, drain_s=5)
