"""Redis' dumps: whole, by their end and their checksum."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agents.snapshots.rdb import check, crc64
from agents.snapshots.source import SnapshotBroken

BODY = b"REDIS0010" + bytes(range(256)) * 3 + b"\xff"
WHOLE = BODY + crc64(BODY).to_bytes(8, "little")


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def test_the_checksum_is_redis_own() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA


@pytest.mark.parametrize("size", [1, 5, 9, 64, 4096])
def test_a_whole_dump_is_good_however_it_is_cut(size: int) -> None:
    check(pieces(WHOLE, size))


def test_a_dump_without_a_checksum_is_judged_by_its_end() -> None:
    check(pieces(BODY + bytes(8), 64))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"REDIS0010",
        b"not a dump at all, but long enough to be one",
        WHOLE[:-1],
        WHOLE[:100],
        WHOLE.replace(b"\x10\x11", b"\x11\x10", 1),
        WHOLE + b"more",
    ],
)
def test_what_is_not_whole_is_found(content: bytes) -> None:
    with pytest.raises(SnapshotBroken):
        check(pieces(content, 64))
