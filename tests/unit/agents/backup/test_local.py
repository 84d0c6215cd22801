from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agents.backup import local, stream
from agents.backup.catalog import Catalog
from agents.backup.verify import Reader, read
from flowrex.errors import NotFound, ServerRefused
from flowrex.testing.s3 import FakeS3
from tests.unit.agents.backup.making import KEY, NOON, FakeKeys, catalog, manifest


def keep(books: Catalog, name: str, root: Path, newest: int = 3) -> None:
    local.keep(books, name, root, newest, tick=lambda: None)


def taken(books: Catalog, s3: FakeS3, days: int) -> str:
    """Put a sealed snapshot into the store, which no program has to read."""
    from dataclasses import replace

    from agents.backup.manifest import signed

    plain = manifest(NOON + timedelta(days=days))
    key = books.folder(plain.name) + "content"
    place = stream.Place(s3, "backups", key, "content")  # type: ignore[arg-type]
    file = stream.store([b"the content"], place, KEY)
    books.write(signed(replace(plain, files=(file,)), KEY))
    return plain.name


def test_a_copy_is_listed_and_read_like_the_store(tmp_path: Path) -> None:
    books, s3 = catalog()
    name = taken(books, s3, 0)
    keep(books, name, tmp_path)
    here = local.catalog_of(books, tmp_path)
    assert [one.name for one in here.list().backups] == [name]
    assert read(Reader(here, FakeKeys()), name)["stored_bytes"] > 0
    assert b"the content" not in b"".join(
        path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    )


def test_the_newest_stay(tmp_path: Path) -> None:
    books, s3 = catalog()
    names = [taken(books, s3, days) for days in range(4)]
    for name in names:
        keep(books, name, tmp_path, newest=2)
    here = local.catalog_of(books, tmp_path)
    assert [one.name for one in here.list().backups] == names[2:]


def test_a_copy_that_was_not_finished_is_none(tmp_path: Path) -> None:
    books, s3 = catalog()
    name = taken(books, s3, 0)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.keep(books, name, tmp_path, 3, tick=stop)
    assert local.catalog_of(books, tmp_path).list().backups == ()
    with pytest.raises(NotFound):
        local.catalog_of(books, tmp_path).read(name)


def test_what_a_killed_agent_left_half_there_takes_no_place_of_a_whole_one(tmp_path: Path) -> None:
    books, s3 = catalog()
    names = [taken(books, s3, days) for days in range(4)]
    keep(books, names[0], tmp_path, newest=2)

    def stop() -> None:
        raise KeyboardInterrupt

    for name in names[1:3]:
        with pytest.raises(KeyboardInterrupt):
            local.keep(books, name, tmp_path, 2, tick=stop)
    keep(books, names[3], tmp_path, newest=2)
    here = local.catalog_of(books, tmp_path)
    assert [one.name for one in here.list().backups] == [names[0], names[3]]
    assert len(list((tmp_path / books.folder()).iterdir())) == 2


def test_a_folder_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    books, s3 = catalog()
    name = taken(books, s3, 0)
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerRefused, match="can't be kept in"):
        keep(books, name, tmp_path / "file")
