from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest

from agents.backup.catalog import Catalog
from agents.backup.prune import prune
from agents.backup.records import Record
from agents.backup.retention import Policy
from flowrex.errors import ServerUnreachable
from flowrex.testing.s3 import FakeS3
from tests.unit.agents.backup.making import NOON, catalog, write

NOW = NOON + timedelta(days=400)
POLICY = Policy(weekly=timedelta(0), monthly=timedelta(0))


@pytest.fixture
def books() -> tuple[Catalog, FakeS3]:
    """Young good backups and an old one."""
    found, s3 = catalog()
    s3.now = NOW
    for days in (1, 30, 100):
        name = write(found, s3, NOW - timedelta(days=days))
        found.note(name, Record("verified", NOW))
    return found, s3


def names(books: Catalog) -> list[str]:
    return [one.name for one in books.list().backups]


def test_what_goes_is_gone_with_all_its_versions(books: tuple[Catalog, FakeS3]) -> None:
    found, s3 = books
    old, *young = names(found)
    assert prune(found, POLICY, NOW).deleted == (old,)
    assert names(found) == young
    assert list(s3.versions("backups", found.folder(old))) == []


def test_a_dry_run_deletes_nothing(books: tuple[Catalog, FakeS3]) -> None:
    found, s3 = books
    before = s3.contents("backups")
    done = prune(found, POLICY, NOW, dry_run=True)
    assert [one.keep for one in done.decisions] == [False, True, True]
    assert (done.deleted, s3.contents("backups")) == ((), before)


def test_what_the_store_locks_is_reported_and_stays_whole(books: tuple[Catalog, FakeS3]) -> None:
    found, s3 = books
    old = names(found)[0]
    (manifest,) = s3.buckets["backups"].versions[f"{found.folder(old)}manifest.json"]
    object.__setattr__(manifest.head, "retain_until", NOW + timedelta(days=1))
    done = prune(found, POLICY, NOW)
    assert [name for name, _ in done.refused] == [old]
    assert found.list().find(old).manifest
    assert found.list().find(old).problem == ""
    s3.now = NOW + timedelta(days=2)
    assert prune(found, POLICY, NOW).deleted == (old,)


def test_one_that_is_held_meanwhile_stays(books: tuple[Catalog, FakeS3]) -> None:
    found, _ = books
    old = names(found)[0]
    prune(found, POLICY, NOW, tick=lambda: found.note(old, Record("hold", NOW)))
    assert old in names(found)


@pytest.mark.parametrize("survived", range(4))
def test_whoever_dies_half_way_leaves_nothing_listed_that_is_not_whole(
    books: tuple[Catalog, FakeS3], monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    found, s3 = books
    delete = s3.delete
    done: list[tuple[str, ...]] = []

    def dying(*arguments: str) -> None:
        if len(done) == survived:
            raise ServerUnreachable("killed")
        done.append(arguments)
        delete(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(s3, "delete", dying)
        with suppress(ServerUnreachable):
            prune(found, POLICY, NOW)
    assert all(one.manifest for one in found.list().backups)
    prune(found, POLICY, NOW)
    assert len(names(found)) == 2


class TestRests:
    KEY = "logical/flowrex/scheduled_20270301_021500/database"

    def test_what_never_was_finished_goes_when_it_is_old(
        self, books: tuple[Catalog, FakeS3]
    ) -> None:
        found, s3 = books
        s3.now = NOW - timedelta(days=3)
        s3.put("backups", self.KEY, b"half")
        assert prune(found, POLICY, NOW).rests == ("scheduled_20270301_021500",)
        assert s3.head("backups", self.KEY) is None

    def test_parts_that_a_killed_agent_left_go_too(self, books: tuple[Catalog, FakeS3]) -> None:
        found, s3 = books
        s3.now = NOW - timedelta(days=3)
        s3.multipart("backups", self.KEY).upload(1, b"x")
        s3.now = NOW - timedelta(days=1)
        s3.multipart("backups", f"{self.KEY}-2").upload(1, b"x")
        prune(found, POLICY, NOW)
        assert [one.key for one in s3.open_uploads("backups")] == [f"{self.KEY}-2"]

    def test_what_may_be_under_way_stays(self, books: tuple[Catalog, FakeS3]) -> None:
        found, s3 = books
        s3.now = NOW - timedelta(days=1)
        s3.put("backups", self.KEY, b"half")
        assert prune(found, POLICY, NOW).rests == ()

    def test_a_clock_that_is_wrong_deletes_nothing(self, books: tuple[Catalog, FakeS3]) -> None:
        found, s3 = books
        s3.put("backups", self.KEY, b"half")
        done = prune(found, POLICY, NOW + timedelta(days=3650))
        assert (done.deleted, done.rests) == ((), ())

    def test_what_the_stores_clock_shows_is_young_stays(
        self, books: tuple[Catalog, FakeS3]
    ) -> None:
        found, s3 = books
        s3.now = NOW - timedelta(hours=1)
        s3.put("backups", self.KEY, b"half")
        # By the node's clock it is three days old.
        assert prune(found, POLICY, NOW + timedelta(days=3)).rests == ()


def test_a_backup_of_a_clock_that_jumped_costs_no_other(books: tuple[Catalog, FakeS3]) -> None:
    found, s3 = books
    jumped = NOW + timedelta(days=400)
    found.note(write(found, s3, jumped), Record("verified", jumped))
    done = prune(found, POLICY, jumped)
    assert (done.deleted, len(names(found))) == ((), 4)
    assert "a clock is or was wrong" in done.doubt
