from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from agents.backup.assemble import backups_of
from agents.backup.handlers import handlings
from agents.backup.work import Backups
from agents.context import Context
from agents.requests.handler import Refused
from agents.settings import Agent
from agents.wiring import handlers
from flowrex.errors import NotFound
from flowrex.node_requests import KINDS, Request
from flowrex.testing.clock import FakeClock
from flowrex.testing.s3 import FakeS3
from tests.unit.agents.backup.making import FakeKeys, catalog, write

Ask = Callable[..., Mapping[str, Any]]


@pytest.fixture
def stored(context: Context) -> tuple[Backups, FakeS3]:
    books, s3 = catalog()
    return dataclasses.replace(backups_of(context), catalog=books, keys=FakeKeys()), s3


@pytest.fixture
def ask(context: Context, stored: tuple[Backups, FakeS3]) -> Ask:
    done = handlings(lambda _: stored[0])

    def ask(kind: Any, **arguments: str) -> Mapping[str, Any]:
        request = Request("1", kind, arguments, "ops", context.clock.now().isoformat())
        return done[kind].handle(request, context, lambda message, **result: None)

    return ask


def test_every_kind_has_its_handler_where_everything_is_switched_on(
    configured: Callable[[str], Agent],
) -> None:
    switched = "".join(f"{one}:\n  enabled: true\n" for one in ("backup", "physical", "snapshots"))
    assert set(handlers(configured(switched))) == set(KINDS)


def test_a_restore_to_a_moment_needs_the_logins_of_the_logical_one(
    configured: Callable[[str], Agent],
) -> None:
    found = handlers(configured("physical:\n  enabled: true\n"))
    assert "physical_drill" in found
    assert "physical_restore" not in found


def test_only_what_may_be_done_twice_is_begun_again() -> None:
    assert {kind for kind, one in handlings().items() if not one.resumes} == {"backup", "restore"}


def test_backups_are_listed_and_shown(ask: Ask, stored: tuple[Backups, FakeS3]) -> None:
    name = write(stored[0].catalog, stored[1])
    listed = ask("list")
    assert [one["name"] for one in listed["backups"]] == [name]
    assert listed["backups"][0]["state"] == "unverified"
    shown = ask("show", name="newest")
    assert shown["manifest"]["rows"] == {"public.orders": 3}


def test_a_hold_is_noted_with_who_and_why(
    ask: Ask, stored: tuple[Backups, FakeS3], clock: FakeClock
) -> None:
    name = write(stored[0].catalog, stored[1])
    ask("hold", name=name, why="an audit")
    (record,) = ask("show", name=name)["records"]
    assert (record["kind"], record["by"], record["text"]) == ("hold", "ops", "an audit")
    assert ask("list")["backups"][0]["held"] is True
    clock.time += timedelta(seconds=1)
    ask("release", name=name)
    assert ask("list")["backups"][0]["held"] is False


class TestRefusals:
    def test_a_restore_that_does_not_name_the_database(
        self, ask: Ask, stored: tuple[Backups, FakeS3]
    ) -> None:
        write(stored[0].catalog, stored[1])
        for confirm in ({}, {"confirm": ""}, {"confirm": "yes"}, {"confirm": "FLOWREX"}):
            with pytest.raises(Refused, match="not the name of the database"):
                ask("restore", name="newest", **confirm)

    @pytest.mark.parametrize("kind", handlings())
    def test_an_argument_that_nobody_knows(self, ask: Ask, kind: str) -> None:
        with pytest.raises(Refused, match="no argument of this request"):
            ask(kind, surprise="1")

    def test_a_reason_that_is_none(self, ask: Ask) -> None:
        with pytest.raises(Refused, match="no reason"):
            ask("backup", reason="scheduled_by_me")

    @pytest.mark.parametrize("kind", ["show", "verify", "drill", "hold", "release"])
    def test_a_backup_that_is_not_there(self, ask: Ask, kind: str) -> None:
        with pytest.raises(NotFound):
            ask(kind, name="manual_20260101_000000")
