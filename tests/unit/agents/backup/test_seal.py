from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.backup.seal import SealBroken, Sealer, opened

KEY = bytes(range(32))
OTHER = bytes(32)
CHUNK = 16
SEALED = CHUNK + 16
HEADER = 44


def seal(plain: bytes, place: str = "here", key: bytes = KEY) -> bytes:
    sealer = Sealer(key, place, chunk=CHUNK)
    return sealer.header + sealer.update(plain) + sealer.finish()


def open_(sealed: bytes, place: str = "here", key: bytes = KEY) -> bytes:
    return b"".join(opened([sealed], key, place))


def chunks(sealed: bytes) -> list[bytes]:
    body = sealed[HEADER:]
    return [body[at : at + SEALED] for at in range(0, len(body), SEALED)]


@given(st.binary(max_size=100), st.lists(st.integers(1, 40), min_size=1), st.integers(1, 50))
def test_it_opens_as_it_was_however_it_is_cut(plain: bytes, cuts: list[int], read: int) -> None:
    sealer = Sealer(KEY, "here", chunk=CHUNK)
    sealed, at = bytearray(sealer.header), 0
    for cut in cuts:
        sealed += sealer.update(plain[at : at + cut])
        at += cut
    sealed += sealer.update(plain[at:]) + sealer.finish()
    pieces = [bytes(sealed[at : at + read]) for at in range(0, len(sealed), read)]
    assert b"".join(opened(pieces, KEY, "here")) == plain


@given(st.binary(max_size=70), st.data())
def test_a_bit_turned_over_anywhere_is_seen(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(plain))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealBroken):
        open_(bytes(sealed))


@given(st.binary(max_size=70), st.data())
def test_a_cut_anywhere_is_seen(plain: bytes, data: st.DataObject) -> None:
    sealed = seal(plain)
    with pytest.raises(SealBroken):
        open_(sealed[: data.draw(st.integers(0, len(sealed) - 1))])


class TestChunks:
    SEALED = seal(b"a" * CHUNK + b"b" * CHUNK + b"c" * CHUNK)

    @pytest.mark.parametrize(
        "order",
        [(1, 0, 2), (0, 2, 1), (0, 0, 1, 2), (0, 2), (0, 1), (0, 1, 2, 2), (2,), ()],
        ids=str,
    )
    def test_moved_repeated_and_left_out_ones_are_seen(self, order: tuple[int, ...]) -> None:
        parts = chunks(self.SEALED)
        with pytest.raises(SealBroken):
            open_(self.SEALED[:HEADER] + b"".join(parts[number] for number in order))

    def test_what_is_appended_is_seen(self) -> None:
        with pytest.raises(SealBroken):
            open_(self.SEALED + b"x")

    def test_one_of_another_stream_is_seen(self) -> None:
        own, foreign = chunks(self.SEALED), chunks(seal(b"a" * CHUNK + b"B" * CHUNK + b"c" * CHUNK))
        with pytest.raises(SealBroken):
            open_(self.SEALED[:HEADER] + own[0] + foreign[1] + own[2])


def test_a_stream_of_another_place_does_not_open() -> None:
    with pytest.raises(SealBroken, match="of another backup"):
        open_(seal(b"plain", "there"), "here")


def test_a_stream_of_another_key_does_not_open() -> None:
    with pytest.raises(SealBroken):
        open_(seal(b"plain", key=OTHER))


@pytest.mark.parametrize("content", [b"", b"PGDMP", b"x" * 200])
def test_what_is_no_sealed_stream_is_called_so(content: bytes) -> None:
    with pytest.raises(SealBroken, match="no sealed stream"):
        open_(content)


def test_the_same_twice_is_not_the_same_sealed() -> None:
    assert seal(b"plain")[HEADER:] != seal(b"plain")[HEADER:]


def test_a_key_of_another_length_is_a_bug() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(b"short", "here")
