from __future__ import annotations

import time
from contextlib import AbstractContextManager

import pytest

from agents import lock
from flowrex import keys
from flowrex.errors import LockHeld, ServerUnreachable
from flowrex.testing.consul import FakeConsul

KEY = keys.backup_lock("flowrex")


@pytest.fixture
def consul() -> FakeConsul:
    return FakeConsul()


class Time:
    """A clock that only a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def hold(
    consul: FakeConsul, node: str = "node-1", clock: lock.Clock = time.monotonic
) -> AbstractContextManager[lock.HeldLock]:
    return lock.hold(lambda: consul, KEY, "flowrex", node, "backup", clock=clock)  # type: ignore[arg-type,return-value]


def renew(held: lock.HeldLock, consul: FakeConsul) -> None:
    """Do what the renewal's thread does, once."""
    again = lock.HeldLock.__new__(lock.HeldLock)
    again.__dict__.update(held.__dict__)
    waits = iter([False, True])

    class Once:
        def wait(self, seconds: float) -> bool:
            return next(waits)

    again._released = Once()  # type: ignore[assignment]
    again._renew()
    held._error, held._until = again._error, again._until


def test_one_node_has_it_and_another_is_told_who(consul: FakeConsul) -> None:
    with hold(consul), pytest.raises(LockHeld, match="backup on node-1"), hold(consul, "node-2"):
        pass
    with hold(consul, "node-2"):
        pass
    assert consul.kv_get(KEY) is None


def test_it_is_given_back_also_after_an_error(consul: FakeConsul) -> None:
    with pytest.raises(RuntimeError), hold(consul):
        raise RuntimeError
    with hold(consul):
        pass


def test_consul_away_means_no_lock(consul: FakeConsul) -> None:
    consul.down = True
    with pytest.raises(ServerUnreachable), hold(consul):
        pass


def test_a_blip_does_not_lose_it(consul: FakeConsul) -> None:
    clock = Time()
    with hold(consul, clock=clock) as held:
        consul.down = True
        clock.now += lock.TTL_S - 1
        renew(held, consul)
        held.check()
        consul.down = False
        renew(held, consul)
        clock.now += lock.TTL_S - 1
        held.check()


def test_longer_than_its_time_to_live_does(consul: FakeConsul) -> None:
    clock = Time()
    with hold(consul, clock=clock) as held:
        consul.down = True
        clock.now += lock.TTL_S
        renew(held, consul)
        consul.down = False
        with pytest.raises(lock.LockLost, match="could not be renewed"):
            held.check()


def test_whoever_stood_still_for_longer_does_not_believe_to_have_it(consul: FakeConsul) -> None:
    # After a pause the work may ask before the thread has renewed anything.
    clock = Time()
    with hold(consul, clock=clock) as held:
        clock.now += lock.TTL_S
        with pytest.raises(lock.LockLost, match="was not renewed for 30 s"):
            held.check()


def test_its_time_begins_before_the_question_and_not_with_the_answer(consul: FakeConsul) -> None:
    clock = Time()
    with hold(consul, clock=clock) as held:
        renewed = consul.session_renew

        def slowly(session_id: str) -> None:
            renewed(session_id)
            clock.now += lock.TTL_S

        consul.session_renew = slowly  # type: ignore[method-assign]
        renew(held, consul)
        with pytest.raises(lock.LockLost):
            held.check()


def test_a_session_that_ended_loses_it(consul: FakeConsul) -> None:
    with hold(consul) as held:
        consul.expire(held._session)
        renew(held, consul)
        with pytest.raises(lock.LockLost, match="has ended"):
            held.check()


def test_it_can_be_waited_for_and_says_whom_it_waits_for(
    consul: FakeConsul, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with hold(consul) as held:
        monkeypatch.setattr(time, "sleep", lambda _: consul.expire(held._session))
        with lock.hold(
            lambda: consul, KEY, "flowrex", "node-2", "backup", wait_s=60, waiting=told.append  # type: ignore[arg-type,return-value]
        ):  # fmt: skip
            pass
    assert len(told) == 1
    assert told[0].startswith("waiting for backup on node-1")
