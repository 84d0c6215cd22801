from __future__ import annotations

from datetime import timedelta

import pytest

from agents.backup.records import Record
from flowrex.errors import NotFound
from flowrex.s3 import ObjectExists
from tests.unit.agents.backup.making import NOON, catalog, manifest, write


def test_backups_are_listed_oldest_first() -> None:
    books, s3 = catalog()
    later = write(books, s3, NOON + timedelta(days=1))
    first = write(books, s3, NOON)
    assert [one.name for one in books.list().backups] == [first, later]
    assert books.list().find("newest").name == later
    assert books.list().find(first).manifest == manifest()
    with pytest.raises(NotFound, match="no backup 'other'"):
        books.list().find("other")


def test_what_has_no_manifest_is_no_backup() -> None:
    books, s3 = catalog()
    s3.put("backups", "logical/flowrex/manual_20260301_120000/database", b"half")
    s3.put("backups", "logical/flowrex/something-else", b"x")
    listing = books.list()
    assert listing.backups == ()
    assert [one.name for one in listing.rests] == ["manual_20260301_120000"]


def test_a_manifest_is_written_once() -> None:
    books, s3 = catalog()
    write(books, s3)
    with pytest.raises(ObjectExists):
        books.write(manifest(size=8))


def test_a_list_reads_each_manifest_once(monkeypatch: pytest.MonkeyPatch) -> None:
    books, s3 = catalog()
    write(books, s3)
    asked: list[str] = []
    get = s3.get

    def counted(bucket: str, key: str) -> bytes:
        asked.append(key)
        return get(bucket, key)

    monkeypatch.setattr(s3, "get", counted)
    first = books.list()
    assert books.list() == first
    assert len(asked) == 1
    later = write(books, s3, NOON + timedelta(days=1))
    assert [one.name for one in books.list().backups][-1] == later
    assert len(asked) == 2


class TestGood:
    def test_only_what_was_looked_at_and_found_right_is(self) -> None:
        books, s3 = catalog()
        name = write(books, s3)
        assert not books.list().find(name).good
        books.note(name, Record("verified", NOON))
        assert books.list().find(name).good
        books.note(name, Record("drilled", NOON + timedelta(days=1), good=False))
        assert not books.list().find(name).good

    def test_a_manifest_that_can_not_be_read_is_listed_and_never_good(self) -> None:
        books, s3 = catalog()
        name = write(books, s3)
        books.note(name, Record("verified", NOON))
        s3.corrupt("backups", f"logical/flowrex/{name}/manifest.json", b"{}")
        found = books.list().find(name)
        assert not found.good
        assert "is no manifest" in found.problem

    def test_one_whose_object_is_gone_or_shorter_is_not(self) -> None:
        books, s3 = catalog()
        name = write(books, s3)
        s3.corrupt("backups", f"logical/flowrex/{name}/database", b"short")
        assert "has 5 bytes" in books.list().find(name).problem
        s3.delete("backups", f"logical/flowrex/{name}/database")
        assert "is not there" in books.list().find(name).problem

    def test_a_manifest_that_was_copied_is_another_backups(self) -> None:
        books, s3 = catalog()
        name = write(books, s3)
        copy = name.replace("scheduled", "manual")
        s3.put("backups", f"logical/flowrex/{copy}/manifest.json", manifest().encode())
        assert "of another backup" in books.list().find(copy).problem


def test_a_hold_is_the_last_word_until_it_is_released() -> None:
    books, s3 = catalog()
    name = write(books, s3)
    books.note(name, Record("hold", NOON, by="ops", text="an audit"))
    backup = books.list().find(name)
    assert backup.held
    assert books.records(backup)[0].text == "an audit"
    books.note(name, Record("release", NOON + timedelta(hours=1)))
    assert not books.list().find(name).held
