"""Redis' own dump format, as far as it takes to know that one is whole."""

from __future__ import annotations

from agents.snapshots.source import Pieces, SnapshotBroken

_MAGIC = b"REDIS"
_END = 0xFF
_POLYNOMIAL = 0x95AC9329AC4BC9B5
_TAIL = 9


def check(pieces: Pieces) -> None:
    """Read a dump through: its head, its end, and the checksum over all of it.

    Raises:
        SnapshotBroken: it is none, is cut off, or was changed.
    """
    crc, held, size = 0, bytearray(), 0
    head = bytearray()
    for piece in pieces:
        if len(head) < len(_MAGIC):
            head += piece[: len(_MAGIC) - len(head)]
        size += len(piece)
        held += piece
        # The checksum itself, and the mark before it, stay held until the end is known.
        ready = bytes(held[:-_TAIL])
        del held[:-_TAIL]
        crc = crc64(ready, crc)
    if bytes(head) != _MAGIC or size < len(_MAGIC) + 4 + _TAIL:
        raise SnapshotBroken("what Redis sent is no RDB file")
    if held[0] != _END:
        raise SnapshotBroken("the RDB file has no end: it was cut off")
    written = int.from_bytes(held[1:], "little")
    # Zero: Redis was told to write none (rdbchecksum no).
    if written and written != crc64(bytes(held[:1]), crc):
        raise SnapshotBroken("the RDB file is not what its checksum says")


def crc64(content: bytes, crc: int = 0) -> int:
    """Return the checksum that Redis uses, of `content` after what `crc` is of."""
    table = _TABLE
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


def _table() -> list[int]:
    # The polynomial is written backwards here, since the checksum is reckoned from the low bit.
    made = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        made.append(value)
    return made


_TABLE = _table()
