"""What operators do, on its way into the audit trail."""

from __future__ import annotations

import json
from typing import cast

import pytest

from flowrex import keys
from flowrex.audit import outbox
from flowrex.audit.record import append, begin
from flowrex.consul import ConsulClient
from flowrex.testing.consul import FakeConsul


@pytest.fixture
def consul() -> ConsulClient:
    return cast(ConsulClient, FakeConsul())


def leave(consul: ConsulClient, **detail: str | None) -> None:
    outbox.leave(consul, "prod", "emergency off", "done", by="kim@desk", detail=detail)


def test_an_entry_is_read_as_a_record_of_the_trail(consul: ConsulClient) -> None:
    leave(consul, reason="over", message=None)
    (entry,) = consul.kv_list(keys.outbox("prod"))
    found = outbox.read(entry.key, entry.value)
    assert (found.kind, found.actor, found.source) == ("operator", "kim", "desk")
    assert found.path == "flowrexctl/emergency/off/prod"
    assert found.detail == {"outcome": "done", "reason": "over"}
    assert entry.key.endswith(found.request_id)
    append(found, begin())  # it can be written


def test_entries_are_kept_in_the_order_of_their_times(consul: ConsulClient) -> None:
    for number in range(3):
        leave(consul, number=str(number))
    found = [outbox.read(one.key, one.value) for one in consul.kv_list(keys.outbox("prod"))]
    assert [one.detail["number"] for one in found] == ["0", "1", "2"]


@pytest.mark.parametrize(
    "value",
    [
        b"{not json",
        b"[]",
        b'{"id": "x"}',
        b"\xff\xfe",
        json.dumps(
            {
                "id": "another", "at": "2026-03-01T12:00:00+00:00", "actor": "a", "source": "s",
                "environment": "prod", "verb": "run", "outcome": "done",
            }
        ).encode(),
        json.dumps(
            {
                "id": "x", "at": "2026-03-01T12:00:00", "actor": "a", "source": "s",
                "environment": "prod", "verb": "run", "outcome": "done",
            }
        ).encode(),
    ],
)  # fmt: skip
def test_one_that_can_not_be_read_is_kept_as_it_is(value: bytes) -> None:
    found = outbox.read("flowrex/outbox/prod/x", value)
    assert found.kind == "unreadable"
    assert found.detail["text"] == value.decode(errors="replace")
    append(found, begin())
