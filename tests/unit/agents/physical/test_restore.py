"""How a cluster is restored to a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.physical.info import parse
from agents.physical.restore import Plan, plan
from agents.physical.target import Target
from flowrex.errors import HardStop, NotFound, UsageError
from tests.unit.agents.physical.repository import DIFF, FULL, backup, document

FIRST = datetime(2026, 2, 1, 2, 0, tzinfo=UTC)
SECOND = datetime(2026, 2, 2, 2, 0, tzinfo=UTC)
BOTH = document(backup(FULL, FIRST, wal=2), backup(DIFF, SECOND, wal=6))
OWN = Path("/var/lib/postgresql/15/main")


def made(
    target: Target, text: str = BOTH, into: Path | None = None, label: str | None = None
) -> Plan:
    return plan(
        parse(text, "flowrex"),
        target,
        config=Path("/c"),
        stanza="flowrex",
        own_data=OWN,
        into=into,
        database="flowrex",
        label=label,
    )


def test_a_time_between_two_backups_begins_from_the_earlier() -> None:
    moment = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
    found = made(Target("time", "2026-02-01 12:00:00.000000+00", moment))
    assert found.backup.label == FULL
    assert "--type=time" in found.argv
    assert "--target=2026-02-01 12:00:00.000000+00" in found.argv
    assert "--target-action=promote" in found.argv


def test_a_restore_into_another_folder_archives_nothing_and_leaves_the_own_one_alone() -> None:
    found = made(Target("end"), into=Path("/scratch"))
    assert {"--pg1-path=/scratch", "--archive-mode=off", "--type=default"} <= set(found.argv)
    assert "--delta" not in found.argv
    assert not any(str(OWN) in word for word in found.argv)
    assert "not touched" in " ".join(found.sentences())


def test_a_restore_in_place_says_what_is_lost() -> None:
    found = made(Target("lsn", "0/6000200"))
    assert found.backup.label == DIFF
    assert "--delta" in found.argv
    assert "--archive-mode=off" not in found.argv
    assert "is lost" in " ".join(found.sentences())


def test_the_running_clusters_folder_is_no_other_folder() -> None:
    with pytest.raises(UsageError, match="own folder"):
        made(Target("end"), into=OWN / "base" / "..")


def test_a_moment_that_no_backup_reaches_is_refused() -> None:
    with pytest.raises(NotFound, match=f"the oldest is {FULL}"):
        made(Target("lsn", "0/1000000"))
    with pytest.raises(NotFound, match="none at all"):
        made(Target("end"), document())


def test_a_marked_moment_begins_from_the_backup_before_it() -> None:
    marked = backup(FULL, FIRST, wal=2, annotation={"mark.before-migration": "0/3000000"})
    text = document(marked, backup(DIFF, SECOND, wal=6))
    assert made(Target("name", "before-migration"), text).backup.label == FULL
    assert made(Target("name", "made-otherwise"), text).backup.label == DIFF


def test_the_backup_to_begin_from_may_be_named() -> None:
    assert made(Target("name", "before-migration"), label=FULL).backup.label == FULL
    with pytest.raises(NotFound, match="no backup x"):
        made(Target("end"), label="x")


def test_a_backup_of_faulty_pages_is_not_restored() -> None:
    text = document(backup(FULL, FIRST, error=True))
    with pytest.raises(HardStop, match="wrong checksums"):
        made(Target("end"), text, label=FULL)
