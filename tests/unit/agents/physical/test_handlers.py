"""What operators may ask of physical backups, and what a restore to a moment takes away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents import lock
from agents.backup.assemble import backups_of
from agents.physical.handlers import handlings, restoring
from agents.physical.moments import Moments
from agents.requests.handler import Interrupted, Refused
from flowrex import keys
from flowrex.errors import LockHeld, NotFound, UsageError
from flowrex.node_requests import Request
from tests.unit.agents.physical.repository import DIFF, FULL, backup, document
from tests.unit.agents.physical.rig import BAD, Programs, Rig

Ask = Callable[..., Mapping[str, Any]]

FIRST = datetime(2026, 2, 1, 2, 0, tzinfo=UTC)
BOTH = document(
    backup(FULL, FIRST, wal=2, annotation={"mark.before-migration": "0/3000000"}),
    backup(DIFF, FIRST + timedelta(days=1), wal=6),
)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path, Programs(info=BOTH))


@pytest.fixture
def ask(rig: Rig, tmp_path: Path) -> Ask:
    moments = Moments(
        stanza=rig.stanza,
        node="node-1",
        consul=lambda: rig.consul,  # type: ignore[arg-type,return-value]
        scratch=tmp_path / "scratch",
        bin_dir=None,
        now=rig.clock.now,
    )
    done = {**handlings(lambda _: moments), **restoring(lambda _: moments, backups_of)}

    def ask(kind: Any, **arguments: str) -> Mapping[str, Any]:
        request = Request("1", kind, arguments, "ops", rig.clock.now().isoformat())
        return done[kind].handle(request, rig.context, lambda message, **result: None)

    return ask


def test_a_backup_of_the_type_that_is_asked_for_is_taken_under_the_lock(ask: Ask, rig: Rig) -> None:
    assert ask("physical_backup", type="full")["name"] == DIFF, "the newest that is there"
    assert ask("physical_backup")["seconds"] == 0
    taken = [verb for verb in rig.programs.ran if verb.startswith("backup")]
    assert taken == ["backup --type=full", "backup --type=diff"]
    key = keys.physical_lock("flowrex")
    assert rig.consul.kv_get(key) is None, "it is given back"
    with (
        lock.hold(lambda: rig.consul, key, "it", "node-2", "verify"),  # type: ignore[arg-type,return-value]
        pytest.raises(LockHeld),
    ):
        ask("physical_backup")


def test_an_agent_that_stops_ends_it(rig: Rig, tmp_path: Path) -> None:
    moments = Moments(rig.stanza, "node-1", lambda: rig.consul, tmp_path, None, rig.clock.now)  # type: ignore[arg-type,return-value]

    def stopping(message: str, **result: Any) -> None:
        raise Interrupted

    request = Request("1", "physical_backup", {}, "ops", rig.clock.now().isoformat())
    with pytest.raises(Interrupted):
        handlings(lambda _: moments)["physical_backup"].handle(request, rig.context, stopping)
    assert rig.consul.kv_get(keys.physical_lock("flowrex")) is None


def test_they_are_listed_with_the_wal(ask: Ask) -> None:
    found = ask("physical_list")
    assert [one["label"] for one in found["backups"]] == [FULL, DIFF]
    assert found["count"] == 2


def test_a_repository_with_a_wrong_byte_is_not_good(ask: Ask, rig: Rig) -> None:
    assert ask("physical_verify")["good"] is True
    rig.programs.verify = BAD
    found = ask("physical_verify")
    assert found["good"] is False
    assert "other: 1" in found["text"]


@pytest.mark.parametrize(
    ("to", "label", "lost"),
    [
        ("2026-02-01T12:00:00Z", FULL, "since 2026-02-01 12:00:00 UTC (28 days, 0:00:00 ago)"),
        ("2026-02-03T12:00:00+01:00", DIFF, "since 2026-02-03 11:00:00 UTC"),
        ("before-migration", FULL, "after restore point before-migration"),
        ("0/7000000", DIFF, "after lsn 0/7000000"),
        ("immediate", DIFF, "since 2026-02-02 02:00:00 UTC"),
        ("end", DIFF, "Nothing that was committed"),
    ],
)
def test_what_a_moment_takes_away_is_said_before_anything_is_done(
    ask: Ask, rig: Rig, to: str, label: str, lost: str
) -> None:
    said = ask("physical_restore", to=to, dry_run="true")
    assert said["name"] == label
    assert f"physical backup {label}" in said["sentences"][0]
    assert any(lost in sentence for sentence in said["sentences"])
    assert rig.programs.ran == ["info"]


def test_what_cannot_be_meant_is_refused(ask: Ask) -> None:
    for confirm in ({}, {"confirm": ""}, {"confirm": "yes"}):
        with pytest.raises(Refused, match="not the name of the database"):
            ask("physical_restore", to="end", **confirm)
    with pytest.raises(Refused, match="needs `to`"):
        ask("physical_restore", confirm="flowrex")
    with pytest.raises(NotFound, match="no backup is from before"):
        ask("physical_restore", to="2026-01-01T00:00:00Z", confirm="flowrex")
    with pytest.raises(UsageError, match="no time zone"):
        ask("physical_restore", to="2026-02-01T12:00:00", dry_run="true")
    with pytest.raises(UsageError, match="has not come yet"):
        ask("physical_drill", to="2036-02-01T12:00:00Z")
    with pytest.raises(Refused, match="no type of a backup"):
        ask("physical_backup", type="copy")
    for kind in ("physical_backup", "physical_list", "physical_verify", "physical_drill"):
        with pytest.raises(Refused, match="no argument"):
            ask(kind, surprise="1")


def test_a_moment_after_the_last_change_has_a_commit_behind_it_before_it_is_looked_for(
    ask: Ask, rig: Rig
) -> None:
    rig.programs.fails["restore"] = NotFound("cut off here")
    with pytest.raises(NotFound, match="cut off here"):
        ask("physical_drill", to="end")
    assert rig.programs.ran == ["psql", "check", "info", "restore"]
    assert not list((rig.folder / "scratch/drill").iterdir()), "nothing of it stays"
