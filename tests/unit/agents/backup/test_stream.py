from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from agents.backup import stream
from agents.backup.manifest import StoredFile
from agents.backup.seal import SealBroken
from flowrex.errors import NotFound
from flowrex.s3 import ObjectExists
from flowrex.testing.s3 import FakeS3

KEY = bytes(range(32))
PLAIN = b"a line that repeats\n" * 5000 + os.urandom(3000)
OBJECT = "logical/flowrex/manual_20260301_120000/database"


@pytest.fixture
def s3() -> FakeS3:
    store = FakeS3()
    store.ensure_bucket("backups")
    return store


def place(s3: FakeS3) -> stream.Place:
    return stream.Place(s3, "backups", OBJECT, "database")  # type: ignore[arg-type]


def stored(s3: FakeS3, plain: bytes = PLAIN, *, compress: bool = True) -> StoredFile:
    pieces = (plain[at : at + 7000] for at in range(0, len(plain), 7000))
    return stream.store(pieces, place(s3), KEY, part=2000, compress=compress)


def loaded(s3: FakeS3, file: StoredFile, key: bytes = KEY) -> bytes:
    pieces = stream.load(s3, "backups", file, key, OBJECT)  # type: ignore[arg-type]
    return b"".join(pieces)


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("plain", [PLAIN, b"", b"x", bytes(40 << 20)], ids=len)
def test_what_is_stored_comes_back(s3: FakeS3, plain: bytes, compress: bool) -> None:
    file = stream.store([plain], place(s3), KEY, compress=compress)
    assert loaded(s3, file) == plain
    assert (file.plain_size, file.plain_sha256) == (len(plain), hashlib.sha256(plain).hexdigest())
    kept = s3.get("backups", OBJECT)
    assert (file.stored_size, file.stored_sha256) == (len(kept), hashlib.sha256(kept).hexdigest())


def test_nothing_of_the_content_can_be_read_in_the_store(s3: FakeS3) -> None:
    stored(s3, compress=False)
    assert b"a line that repeats" not in s3.get("backups", OBJECT)


def test_it_is_compressed(s3: FakeS3) -> None:
    assert stored(s3).stored_size < len(PLAIN) / 5


def test_another_byte_in_the_store_is_seen(s3: FakeS3) -> None:
    file = stored(s3)
    kept = bytearray(s3.get("backups", OBJECT))
    kept[len(kept) // 2] ^= 1
    s3.corrupt("backups", OBJECT, bytes(kept))
    with pytest.raises(SealBroken):
        loaded(s3, file)


def test_another_whole_stream_of_the_same_key_and_place_is_seen(s3: FakeS3) -> None:
    file = stored(s3)
    other = FakeS3()
    other.ensure_bucket("backups")
    stored(other, b"another backup's content")
    s3.corrupt("backups", OBJECT, other.get("backups", OBJECT))
    with pytest.raises(SealBroken, match="the manifest says"):
        loaded(s3, file)


def test_an_object_that_is_gone_is_told(s3: FakeS3) -> None:
    file = stored(s3)
    with pytest.raises(NotFound):
        loaded(s3, replace(file, key="logical/elsewhere"))


class TestWhatFails:
    def test_a_source_that_breaks_leaves_no_object(self, s3: FakeS3) -> None:
        def pieces() -> Iterator[bytes]:
            yield os.urandom(9000)
            raise OSError("cut")

        with pytest.raises(OSError, match="cut"):
            stream.store(pieces(), place(s3), KEY, part=2000)
        assert s3.contents("backups") == {}

    def test_a_source_that_ends_and_was_not_good_leaves_no_object(self, s3: FakeS3) -> None:
        def bad() -> None:
            raise OSError("ended with 1")

        with pytest.raises(OSError, match="ended with 1"):
            stream.store([PLAIN], place(s3), KEY, good=bad)
        assert s3.contents("backups") == {}

    def test_an_object_that_is_there_is_not_replaced(self, s3: FakeS3) -> None:
        s3.put("backups", OBJECT, b"first")
        with pytest.raises(ObjectExists):
            stored(s3)
        assert s3.get("backups", OBJECT) == b"first"


@pytest.mark.parametrize(
    ("expected", "mib"), [(0, 8), (8 << 30, 8), (100 << 30, 12), (1 << 40, 117)]
)
def test_parts_are_as_long_as_their_number_needs(expected: int, mib: int) -> None:
    size = stream.part_size(expected)
    assert size == mib << 20
    assert expected / size < 10_000
