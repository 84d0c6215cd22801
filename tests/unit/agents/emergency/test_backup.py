"""One backup is wanted of all nodes: what another has taken since is not taken again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agents.context import Context
from agents.emergency.backup import taken, through
from agents.requests.handler import Handling, Progress
from flowrex import keys
from flowrex.backup_state import BackupState
from flowrex.node_requests import Request
from flowrex.testing.consul import FakeConsul

SINCE = "2026-03-01T12:00:00+00:00"


def state(good_at: str) -> BackupState:
    """Return what is known where the newest is of the emergency, and nobody has read it yet."""
    return BackupState(
        "flowrex",
        "node-2",
        SINCE,
        newest="emergency_2",
        newest_at="2026-03-01T12:01:00+00:00",
        good="emergency_1" if good_at else "",
        good_at=good_at,
    )


@pytest.mark.parametrize(
    ("known", "name"),
    [
        (None, ""),
        (state(""), ""),
        (state("2026-03-01T11:59:59+00:00"), ""),
        (state("2026-03-01T12:00:00+00:00"), "emergency_1"),
        (state("2026-03-01T13:30:00+01:00"), "emergency_1"),
    ],
)
def test_a_good_backup_counts_from_the_emergency_on(known: BackupState | None, name: str) -> None:
    assert taken(known, SINCE) == name


@pytest.mark.parametrize("there", [None, state("").encode(), "{", "down"])
def test_it_is_asked_for_like_an_operators_where_there_is_none(
    context: Context, consul: FakeConsul, there: str | None
) -> None:
    asked: list[Request] = []

    def handle(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        progress("dumping")
        asked.append(request)
        return {"name": "emergency_3"}

    if there == "down":
        consul.down = True
    elif there is not None:
        consul.kv_put(keys.backups("flowrex"), there)
    assert through(Handling(handle), context)("emergency 5-halt", SINCE) == "emergency_3"
    assert (asked[0].arguments, asked[0].by) == ({"reason": "emergency"}, "emergency 5-halt")


def test_it_is_not_asked_for_where_another_node_has_one(
    context: Context, consul: FakeConsul
) -> None:
    def handle(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        raise AssertionError("asked")

    consul.kv_put(keys.backups("flowrex"), state("2026-03-01T12:00:05+00:00").encode())
    said = through(Handling(handle), context)("emergency 5-halt", SINCE)
    assert said == "emergency_1, which another node took"
