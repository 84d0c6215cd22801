from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict
from typing import Any, cast

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import HardStop, ServerUnreachable
from flowrex.testing.consul import FakeConsul
from generator import audit, lock, unlock
from generator.lock import Holder
from generator.unlock import Held
from tests.unit.generator.rolling import JumpingClock

ELSEWHERE = {"host": "another-machine", "pid": 1}


@pytest.fixture
def consul() -> FakeConsul:
    return FakeConsul()


def client(consul: FakeConsul) -> ConsulClient:
    return cast(ConsulClient, consul)


def held(consul: FakeConsul, **more: Any) -> Held:
    """Return a lock that somebody holds: this process, unless told otherwise."""
    session = consul.session_create("run dev", 20, behavior="delete")
    holder = {**asdict(Holder.myself("run dev")), **more}
    assert consul.kv_put(keys.deploy_lock("dev"), json.dumps(holder), acquire=session)
    found = unlock.look(client(consul), "dev", 15)
    assert found is not None
    return found


def gone() -> int:
    """Return the id of a process that was there."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_where_nobody_holds_it_there_is_nothing(consul: FakeConsul) -> None:
    assert unlock.look(client(consul), "dev", 15) is None
    consul.kv_put(keys.deploy_lock("dev"), "{}")
    assert unlock.look(client(consul), "dev", 15) is None, "a key without a session is no lock"


def test_the_sessions_own_ttl_counts(consul: FakeConsul) -> None:
    found = held(consul)
    assert (found.holder.pid, found.ttl_s, found.here) == (os.getpid(), 20, True)


def judge(consul: FakeConsul, found: Held, clock: Any = None) -> str:
    return unlock.judge(client(consul), "dev", found, clock or JumpingClock(), lambda _: None)


def test_a_process_of_this_machine_is_looked_for(consul: FakeConsul) -> None:
    with pytest.raises(HardStop, match=f"process {os.getpid()} runs on this machine") as caught:
        judge(consul, held(consul))
    assert caught.value.exit_status == 7
    assert "flowrexctl unlock dev --force --reason" in (caught.value.hint or "")


def test_a_process_of_this_machine_that_is_gone_does_not_need_its_lock(consul: FakeConsul) -> None:
    assert judge(consul, held(consul, pid=gone(), host=socket.gethostname())) == "gone"


@pytest.mark.parametrize("space", ["", "another-boot pid:[4026531836]", "pid:[1]"])
def test_a_process_of_a_container_with_the_same_name_is_not_taken_for_gone(
    consul: FakeConsul, space: str
) -> None:
    found = held(consul, pid=gone(), host=socket.gethostname(), space=space)
    assert not found.here
    assert not found.holder.gone
    with pytest.raises(HardStop, match="its session is renewed from"):
        judge(consul, found, JumpingClock(step=0.0))


def test_a_holder_of_an_earlier_version_is_known(consul: FakeConsul) -> None:
    session = consul.session_create("run dev", 20, behavior="delete")
    old = {key: one for key, one in asdict(Holder.myself("run dev")).items() if key != "space"}
    consul.kv_put(keys.deploy_lock("dev"), json.dumps(old), acquire=session)
    found = unlock.look(client(consul), "dev", 15)
    assert found is not None
    assert (found.holder.pid, found.here) == (os.getpid(), False)


def test_one_of_another_machine_is_there_if_its_session_outlives_twice_its_ttl(
    consul: FakeConsul,
) -> None:
    clock = JumpingClock(step=0.0)
    with pytest.raises(HardStop, match="its session is renewed from another-machine"):
        judge(consul, held(consul, **ELSEWHERE), clock)
    assert clock.time >= 40


def test_one_of_another_machine_whose_session_ends_is_gone(consul: FakeConsul) -> None:
    found = held(consul, **ELSEWHERE)

    class Dying(JumpingClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.time > 10:
                consul.expire(found.session)

    assert judge(consul, found, Dying(step=0.0)) == "expired"


def test_a_lock_that_is_taken_away_is_free_and_that_is_recorded(consul: FakeConsul) -> None:
    found = held(consul, **ELSEWHERE)
    unlock.take_away(client(consul), "dev", found, "forced", "it hangs")
    assert lock.holder(client(consul), "dev") is None
    assert consul.session_info(found.session) is None
    (record,) = audit.history(client(consul), "dev")
    assert (record.verb, record.reason, record.outcome) == ("unlock", "it hangs", "done")
    assert record.details["holder"]["host"] == "another-machine"
    assert record.details["how"] == "forced"


def test_a_key_that_outlives_its_session_is_removed(
    consul: FakeConsul, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = held(consul)
    monkeypatch.setattr(consul, "session_destroy", lambda _: None)
    unlock.take_away(client(consul), "dev", found, "gone", "it hangs")
    assert consul.kv_get(keys.deploy_lock("dev")) is None


def test_what_somebody_else_holds_by_now_is_left_alone(consul: FakeConsul) -> None:
    found = held(consul, **ELSEWHERE)
    consul.expire(found.session)
    held(consul)
    unlock.take_away(client(consul), "dev", found, "forced", "it hangs")
    assert lock.holder(client(consul), "dev") is not None


def test_a_failure_is_recorded_too(consul: FakeConsul, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise ServerUnreachable("no answer")

    found = held(consul)
    monkeypatch.setattr(consul, "session_destroy", refuse)
    with pytest.raises(ServerUnreachable):
        unlock.take_away(client(consul), "dev", found, "forced", "it hangs")
    assert audit.history(client(consul), "dev")[0].outcome == "ServerUnreachable"
