"""What Flowrex relies on in Consul, held against the real one and against its stand-in."""

from __future__ import annotations

import threading
import time

import pytest

from flowrex.consul import ConsulClient
from flowrex.errors import NotFound, ServerRefused
from flowrex.testing.consul import FakeConsul
from tests.cluster import eventually

Consul = ConsulClient | FakeConsul


def test_a_key_that_is_not_there_is_none(consul: Consul, key: str) -> None:
    assert consul.kv_get(key) is None


@pytest.mark.parametrize("value", [b"", b"on", "ü €".encode(), b"\x00\xff", b'{"level": "halt"}'])
def test_a_value_comes_back_byte_for_byte(consul: Consul, key: str, value: bytes) -> None:
    assert consul.kv_put(key, value)
    entry = consul.kv_get(key)
    assert entry is not None
    assert (entry.key, entry.value, entry.session) == (key, value, None)


def test_a_key_may_hold_spaces_percent_and_unicode(consul: Consul, key: str) -> None:
    odd = f"{key}/ä b/%2f?x#y"
    consul.kv_put(odd, "there")
    assert [e.key for e in consul.kv_list(f"{key}/")] == [odd]
    entry = consul.kv_get(odd)
    assert entry is not None and entry.value == b"there"


def test_a_prefix_lists_its_keys_in_order_and_no_others(consul: Consul, key: str) -> None:
    for name in ("b", "a", "c/d"):
        consul.kv_put(f"{key}/{name}", name)
    consul.kv_put(f"{key}-other", "no")
    assert [e.value for e in consul.kv_list(f"{key}/")] == [b"a", b"b", b"c/d"]
    assert consul.kv_list(f"{key}/none/") == []


def test_check_and_set_with_zero_creates_only(consul: Consul, key: str) -> None:
    assert consul.kv_put(key, "first", cas=0)
    assert not consul.kv_put(key, "second", cas=0)


def test_check_and_set_writes_at_the_index_that_was_read_only(consul: Consul, key: str) -> None:
    consul.kv_put(key, "1")
    read = consul.kv_get(key)
    assert read is not None
    consul.kv_put(key, "2")
    assert not consul.kv_put(key, "3", cas=read.modify_index)
    read = consul.kv_get(key)
    assert read is not None and read.value == b"2"
    assert consul.kv_put(key, "3", cas=read.modify_index)


def test_deleting_is_harmless_twice_and_may_be_conditional(consul: Consul, key: str) -> None:
    consul.kv_put(key, "1")
    assert not consul.kv_delete(key, cas=1)
    assert consul.kv_get(key) is not None
    assert consul.kv_delete(key)
    assert consul.kv_get(key) is None
    assert consul.kv_delete(key)


def test_a_lock_has_one_holder(consul: Consul, key: str) -> None:
    ours, theirs = consul.session_create("ours", 10), consul.session_create("theirs", 10)
    assert consul.kv_put(key, "ours", acquire=ours)
    assert not consul.kv_put(key, "theirs", acquire=theirs)
    held = consul.kv_get(key)
    assert held is not None
    assert (held.value, held.session, held.lock_index) == (b"ours", ours, 1)


def test_the_holder_may_acquire_again_to_write(consul: Consul, key: str) -> None:
    ours = consul.session_create("ours", 10)
    consul.kv_put(key, "1", acquire=ours)
    assert consul.kv_put(key, "2", acquire=ours)
    held = consul.kv_get(key)
    assert held is not None and (held.value, held.lock_index) == (b"2", 1)


def test_only_the_holder_releases(consul: Consul, key: str) -> None:
    ours, theirs = consul.session_create("ours", 10), consul.session_create("theirs", 10)
    consul.kv_put(key, "held", acquire=ours)
    assert not consul.kv_put(key, "", release=theirs)
    assert consul.kv_put(key, "", release=ours)
    free = consul.kv_get(key)
    assert free is not None and free.session is None
    assert consul.kv_put(key, "theirs", acquire=theirs)


def test_a_lock_does_not_keep_others_from_writing(consul: Consul, key: str) -> None:
    ours = consul.session_create("ours", 10)
    consul.kv_put(key, "ours", acquire=ours)
    assert consul.kv_put(key, "overwritten")
    held = consul.kv_get(key)
    assert held is not None and (held.value, held.session) == (b"overwritten", ours)


def test_a_session_that_ends_lets_go_at_once(consul: Consul, key: str) -> None:
    ours, theirs = consul.session_create("ours", 10), consul.session_create("theirs", 10)
    consul.kv_put(key, "ours", acquire=ours)
    consul.session_destroy(ours)
    left = consul.kv_get(key)
    assert left is not None and (left.value, left.session) == (b"ours", None)
    assert consul.kv_put(key, "theirs", acquire=theirs)


def test_a_session_may_take_its_keys_with_it(consul: Consul, key: str) -> None:
    ours = consul.session_create("ours", 10, behavior="delete")
    consul.kv_put(key, "ours", acquire=ours)
    consul.session_destroy(ours)
    assert consul.kv_get(key) is None


def test_a_session_that_ended_is_gone_for_every_use(consul: Consul, key: str) -> None:
    ours = consul.session_create("ours", 10)
    consul.session_renew(ours)
    consul.session_destroy(ours)
    consul.session_destroy(ours)
    assert consul.session_info(ours) is None
    with pytest.raises(NotFound):
        consul.session_renew(ours)
    with pytest.raises(ServerRefused, match="invalid session"):
        consul.kv_put(key, "ours", acquire=ours)


def test_a_session_tells_its_name_and_lifetime(consul: Consul) -> None:
    found = consul.session_info(consul.session_create("deploy/prod", 15))
    assert found is not None
    assert (found["Name"], found["TTL"], found["Behavior"]) == ("deploy/prod", "15s", "release")
    # Bound to its lifetime only: a node's short absence must not let go of a lock.
    assert not found.get("NodeChecks")


def test_a_session_shorter_than_ten_seconds_is_refused(consul: Consul) -> None:
    with pytest.raises(ServerRefused, match="TTL"):
        consul.session_create("short", 9)


def test_waiting_at_zero_answers_at_once(consul: Consul, key: str) -> None:
    started = time.monotonic()
    entry, index = consul.kv_wait(key, 0, 30)
    assert entry is None
    assert index > 0
    assert time.monotonic() - started < 5


def test_waiting_ends_without_a_change_and_keeps_the_index(consul: Consul, key: str) -> None:
    consul.kv_put(key, "same")
    _, index = consul.kv_wait(key, 0, 1)
    started = time.monotonic()
    entry, again = consul.kv_wait(key, index, 0.1)
    assert entry is not None and entry.value == b"same"
    assert again == index
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize("before", [None, "off"])
def test_a_write_wakes_who_waits(consul: Consul, key: str, before: str | None) -> None:
    if before is None:
        consul.kv_delete(key)
    else:
        consul.kv_put(key, before)
    _, index = consul.kv_wait(key, 0, 1)
    writer = threading.Timer(0.05, consul.kv_put, (key, "on"))
    writer.start()
    entry, after = consul.kv_wait(key, index, 30)
    writer.join()
    assert entry is not None and entry.value == b"on"
    assert after > index


def test_a_deletion_wakes_who_waits(consul: Consul, key: str) -> None:
    consul.kv_put(key, "on")
    _, index = consul.kv_wait(key, 0, 1)
    writer = threading.Timer(0.05, consul.kv_delete, (key,))
    writer.start()
    entry, after = consul.kv_wait(key, index, 30)
    writer.join()
    assert entry is None
    assert after > index


def test_waiting_for_a_prefix_at_zero_answers_at_once(consul: Consul, key: str) -> None:
    started = time.monotonic()
    assert consul.kv_wait_prefix(f"{key}/", 0, 30)[0] == []
    for name in ("b", "a", "c/d"):
        consul.kv_put(f"{key}/{name}", name)
    consul.kv_put(f"{key}-other", "no")
    entries, index = consul.kv_wait_prefix(f"{key}/", 0, 30)
    assert [entry.value for entry in entries] == [b"a", b"b", b"c/d"]
    assert index > 0
    assert time.monotonic() - started < 5


def test_a_new_key_a_change_and_a_deletion_wake_who_waits_for_a_prefix(
    consul: Consul, key: str
) -> None:
    consul.kv_put(f"{key}/old", "1")
    _, index = consul.kv_wait_prefix(f"{key}/", 0, 1)
    for change, expected in (
        (lambda: consul.kv_put(f"{key}/new", "1"), [b"1", b"1"]),
        (lambda: consul.kv_put(f"{key}/old", "2"), [b"1", b"2"]),
        (lambda: consul.kv_delete(f"{key}/new"), [b"2"]),
    ):
        writer = threading.Timer(0.05, change)
        writer.start()
        entries, after = consul.kv_wait_prefix(f"{key}/", index, 30)
        writer.join()
        assert [entry.value for entry in entries] == expected
        assert after > index
        index = after


def test_a_change_beside_a_prefix_wakes_nobody_with_other_entries(consul: Consul, key: str) -> None:
    consul.kv_put(f"{key}/one", "1")
    _, index = consul.kv_wait_prefix(f"{key}/", 0, 1)
    consul.kv_put(f"{key}-other", "no")
    entries, _ = consul.kv_wait_prefix(f"{key}/", index, 0.1)
    assert [entry.value for entry in entries] == [b"1"]


def test_writing_the_same_value_again_changes_nothing(consul: Consul, key: str) -> None:
    consul.kv_put(key, "same")
    first = consul.kv_get(key)
    assert consul.kv_put(key, "same")
    assert consul.kv_get(key) == first


def test_a_service_that_nobody_registered_has_no_instances(consul: Consul) -> None:
    assert consul.services("nobody") == []
    assert consul.services("nobody", passing_only=True) == []
    assert consul.checks_of("nobody") == []


def test_a_leader_has_an_address(consul: Consul) -> None:
    assert ":" in consul.leader()


def test_a_service_tells_by_its_check_how_it_is(consul: Consul) -> None:
    consul.register_service(
        "contract",
        "contract-1",
        ttl="60s",
        status="critical",
        tags=("dev",),
        meta={"version": "1"},
        address="127.0.0.7",
        port=4242,
    )
    consul.update_check("contract-1", "warning", "it waits")
    eventually(
        lambda: (
            [(c.check_id, c.status, c.output) for c in consul.checks_of("contract")]
            == [("contract-1", "warning", "it waits")]
        ),
        what="the check",
    )
    (one,) = consul.services("contract")
    assert (one.id, one.tags, one.address, one.port) == ("contract-1", ("dev",), "127.0.0.7", 4242)
    consul.deregister_service("contract-1")
    eventually(lambda: consul.services("contract") == [], what="the end of the service")


def test_a_check_that_consul_does_not_know_is_not_found(consul: Consul) -> None:
    with pytest.raises(NotFound):
        consul.update_check("contract-none", "passing", "")
    with pytest.raises(NotFound):
        consul.deregister_service("contract-none")
