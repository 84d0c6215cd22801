"""What pgBackRest says of its repository."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from agents.physical.info import before, parse
from flowrex.errors import ServerRefused, ServerUnreachable
from tests.unit.agents.physical.repository import DIFF, FULL, backup, document

FIRST = datetime(2026, 2, 1, 2, 0, tzinfo=UTC)
SECOND = datetime(2026, 2, 2, 2, 0, tzinfo=UTC)
BOTH = document(backup(FULL, FIRST, wal=2), backup(DIFF, SECOND, wal=6))


def test_backups_are_read_oldest_first() -> None:
    repository = parse(document(backup(DIFF, SECOND), backup(FULL, FIRST)), "flowrex")
    assert [one.label for one in repository.backups] == [FULL, DIFF]
    assert repository.exists
    assert repository.problem == ""
    assert repository.archive == "15-1"
    assert repository.system_id == "7712179853858405413"
    newest = repository.newest
    assert newest is not None
    assert (newest.kind, newest.prior, newest.stored) == ("diff", FULL, 100)


def test_a_stanza_without_a_backup_is_in_order() -> None:
    repository = parse(document(code=2, message="no valid backups"), "flowrex")
    assert repository.exists
    assert repository.problem == ""
    assert repository.newest is None


def test_a_missing_stanza_is_none() -> None:
    assert not parse("[]", "flowrex").exists
    missing = document(code=1, message="missing stanza path")
    assert not parse(missing, "flowrex").exists


def test_what_is_wrong_is_kept() -> None:
    assert parse(document(code=4, message="mixed"), "flowrex").problem == "mixed"


def test_a_store_that_is_away_is_not_a_stanza_that_is_missing() -> None:
    away = {"key": 1, "status": {"code": 99, "message": "unable to connect to 'localhost:1'"}}
    text = json.dumps(
        [
            {
                "archive": [],
                "backup": [],
                "db": [],
                "name": "flowrex",
                "repo": [away],
                "status": {"code": 99, "message": "other"},
            }
        ]
    )
    with pytest.raises(ServerUnreachable, match="unable to connect"):
        parse(text, "flowrex")


def test_a_backup_of_faulty_pages_is_not_the_newest_good_one() -> None:
    text = document(backup(FULL, FIRST), backup(DIFF, SECOND, error=True))
    newest = parse(text, "flowrex").newest
    assert newest is not None
    assert newest.label == FULL


def test_a_hold_is_an_annotation() -> None:
    held = parse(document(backup(FULL, FIRST, annotation={"hold": "audit"})), "flowrex")
    assert held.backups[0].hold == "audit"


@pytest.mark.parametrize(
    ("lsn", "label"), [("0/2000100", FULL), ("0/60000FF", FULL), ("0/6000100", DIFF)]
)
def test_a_position_is_reached_from_a_backup_that_ended_before_it(lsn: str, label: str) -> None:
    found = before(parse(BOTH, "flowrex"), lsn=lsn, time=None)
    assert found is not None
    assert found.label == label


def test_a_moment_before_the_first_backup_is_out_of_reach() -> None:
    repository = parse(BOTH, "flowrex")
    assert before(repository, lsn="0/20000FF", time=None) is None
    assert before(repository, lsn=None, time=datetime(2026, 2, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize("text", ["", "{", '[{"name": "flowrex"}]', "[1]"])
def test_what_is_no_description_is_refused(text: str) -> None:
    with pytest.raises(ServerRefused, match="can't be read"):
        parse(text, "flowrex")
