from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import replace
from typing import cast

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import LockHeld, ServerUnreachable
from flowrex.testing.consul import FakeConsul
from generator import lock
from generator.lock import HeldLock, Holder, LockLost

KEY = keys.deploy_lock("prod")


@pytest.fixture
def fake() -> FakeConsul:
    return FakeConsul()


@pytest.fixture
def consul(fake: FakeConsul) -> ConsulClient:
    return cast(ConsulClient, fake)


def session(fake: FakeConsul) -> str:
    entry = fake.kv_get(KEY)
    assert entry is not None and entry.session
    return entry.session


def test_it_is_held_for_the_length_of_the_block(fake: FakeConsul, consul: ConsulClient) -> None:
    with lock.hold(consul, "prod", "run prod", ttl_s=15):
        entry = fake.kv_get(KEY)
        assert entry is not None and entry.session
        said = json.loads(entry.value)
        assert (said["pid"], said["what"]) == (os.getpid(), "run prod")
    assert fake.kv_get(KEY) is None
    assert lock.holder(consul, "prod") is None


def test_it_is_given_back_on_an_error_and_on_ctrl_c(fake: FakeConsul, consul: ConsulClient) -> None:
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), lock.hold(consul, "prod", "run prod", ttl_s=15):
            raise error
        assert fake.kv_get(KEY) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_cancelled_run_gives_it_back(
    number: signal.Signals, fake: FakeConsul, consul: ConsulClient
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), lock.hold(consul, "prod", "run prod", ttl_s=15):
        signal.raise_signal(number)
    assert fake.kv_get(KEY) is None
    assert signal.getsignal(number) is before


def test_a_second_one_is_told_who_holds_it(consul: ConsulClient) -> None:
    with lock.hold(consul, "prod", "run prod", ttl_s=15):
        with pytest.raises(LockHeld) as caught, lock.hold(consul, "prod", "fail prod", ttl_s=15):
            pass
        assert f"(process {os.getpid()}, `flowrexctl run prod`, for 0s)" in caught.value.message
        assert caught.value.exit_status == 8
        assert "--lock-wait" in (caught.value.hint or "")


def test_one_that_failed_to_get_it_leaves_no_session(
    fake: FakeConsul, consul: ConsulClient
) -> None:
    with lock.hold(consul, "prod", "run prod", ttl_s=15):
        own = session(fake)
        with pytest.raises(LockHeld), lock.hold(consul, "prod", "run prod", ttl_s=15):
            pass
        assert set(fake._sessions) == {own}


def test_environments_do_not_wait_for_each_other(consul: ConsulClient) -> None:
    with (
        lock.hold(consul, "prod", "run prod", ttl_s=15),
        lock.hold(consul, "staging", "run staging", ttl_s=15),
    ):
        pass


def test_one_that_waits_gets_it_when_it_is_free(fake: FakeConsul, consul: ConsulClient) -> None:
    waiting, entered, told = threading.Event(), threading.Event(), []

    def wait(holder: Holder) -> None:
        told.append(holder.what)
        waiting.set()

    def second() -> None:
        with lock.hold(consul, "prod", "promote prod", ttl_s=15, wait_s=30, waiting=wait):
            entered.set()

    thread = threading.Thread(target=second)
    with lock.hold(consul, "prod", "run prod", ttl_s=15):
        thread.start()
        assert waiting.wait(5)
        assert not entered.is_set()
    assert entered.wait(5)
    thread.join()
    assert told == ["run prod"]


def test_a_dead_holders_lock_is_free_when_its_session_ends(
    fake: FakeConsul, consul: ConsulClient
) -> None:
    dead = fake.session_create("dead", 15, behavior="delete")
    fake.kv_put(KEY, "{}", acquire=dead)
    fake.expire(dead)
    with lock.hold(consul, "prod", "run prod", ttl_s=15):
        assert session(fake) != dead


def held(fake: FakeConsul, consul: ConsulClient) -> HeldLock:
    own = fake.session_create("test", 15, behavior="delete")
    fake.kv_put(KEY, "{}", acquire=own)
    return HeldLock(consul, KEY, own, ttl_s=0)


def until_lost(one: HeldLock) -> None:
    one._thread.join(5)
    one.check()


def test_a_lock_whose_session_ended_is_lost(fake: FakeConsul, consul: ConsulClient) -> None:
    one = held(fake, consul)
    one.check()
    fake.expire(session(fake))
    with pytest.raises(LockLost, match="its session has ended") as caught:
        until_lost(one)
    assert caught.value.exit_status == 8
    assert "flowrexctl status prod" in (caught.value.hint or "")


def test_a_lock_that_somebody_removed_is_lost(fake: FakeConsul, consul: ConsulClient) -> None:
    one = held(fake, consul)
    fake.kv_delete(KEY)
    with pytest.raises(LockLost, match="somebody removed it"):
        until_lost(one)


def test_a_lock_that_can_not_be_renewed_is_a_server_out_of_reach(
    fake: FakeConsul, consul: ConsulClient
) -> None:
    one = held(fake, consul)
    fake.down = True
    with pytest.raises(ServerUnreachable, match="could not be renewed"):
        until_lost(one)


def test_a_consul_that_went_does_not_hide_what_happened(
    fake: FakeConsul, consul: ConsulClient
) -> None:
    with pytest.raises(ValueError, match="ours"), lock.hold(consul, "prod", "run", ttl_s=15):
        fake.down = True
        raise ValueError("ours")


def test_a_value_that_nobody_understands_still_has_a_holder(
    fake: FakeConsul, consul: ConsulClient
) -> None:
    own = fake.session_create("other", 15)
    fake.kv_put(KEY, "what is this", acquire=own)
    holder = lock.holder(consul, "prod")
    assert holder is not None
    assert "somebody@unknown" in str(holder)


def test_a_process_of_this_machine_that_is_gone_is_known() -> None:
    mine = Holder.myself("run prod")
    assert not mine.gone
    gone = replace(mine, pid=2**22 + 1)
    assert gone.gone
    assert not replace(gone, host="elsewhere").gone
    assert not replace(gone, space="another boot or container").gone
