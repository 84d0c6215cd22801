"""Cutting a file: every byte is kept, good lines as they are, the rest in quarantine."""

from __future__ import annotations

import hashlib
import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from agents.audit.cut import Bounds, Cut, cut
from agents.audit.lines import NOT_JSON, NOT_UTF8, RESERVED, TOO_LONG, UNTERMINATED
from flowrex.audit.segment import original, quarantine

SMALL = Bounds(bytes=200, lines=1000, longest_line=64)


def cut_bytes(file: bytes, start: int = 0, *, bounds: Bounds = SMALL, final: bool = True) -> Cut:
    made = cut(lambda at, size: file[at : at + size], start, bounds, final=final)
    assert made is not None
    return made


def content(made: Cut) -> list[bytes]:
    text = zstandard.ZstdDecompressor().decompressobj().decompress(made.frame)
    return [line + b"\n" for line in text.split(b"\n")[:-1]]


def reasons(made: Cut) -> list[str]:
    documents = [json.loads(line) for line in content(made)]
    return [one["quarantined"]["reason"] for one in documents if "quarantined" in one]


def test_good_lines_stand_as_they_are() -> None:
    file = b'{"a":1}\n{"b":[{}]}\n'
    made = cut_bytes(file)
    assert b"".join(content(made)) == file
    assert (made.start, made.end, made.lines, made.quarantined) == (0, len(file), 2, 0)
    assert made.content == hashlib.sha256(file).hexdigest()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"plain text\n", NOT_JSON),
        (b"\n", NOT_JSON),
        (b"[1]\n", NOT_JSON),
        (b'{"a":1}{"b":2}\n', NOT_JSON),
        (b'{"a":1},\n', NOT_JSON),
        (b'{"a":NaN}\n', NOT_JSON),
        (b'{"a":1\n', NOT_JSON),
        (b'{"a":1}\r\n', NOT_JSON),
        (b'{"a":"\xff"}\n', NOT_UTF8),
        (b'{"a":"\x00"}\n', NOT_JSON),
        (quarantine(b"", 0, "x")[:60] + b"\n", RESERVED),
    ],
)
def test_a_line_that_is_not_good_is_quarantined_with_its_reason(line: bytes, reason: str) -> None:
    file = b'{"a":1}\n' + line + b'{"b":2}\n'
    made = cut_bytes(file)
    assert reasons(made) == [reason]
    assert (made.lines, made.quarantined) == (3, 1)
    assert b"".join(map(original, content(made))) == file


def test_two_halves_of_a_line_are_not_taken_for_one_object() -> None:
    assert cut_bytes(b'{"a":1\n,"b":2}\n').quarantined == 2


def test_deeply_nested_json_is_quarantined_and_no_error() -> None:
    bounds = Bounds(longest_line=1 << 20)
    assert cut_bytes(b'{"a":' + b"[" * 200_000 + b"\n", bounds=bounds).quarantined == 1


def test_half_a_line_waits_for_its_end() -> None:
    file = b'{"a":1}\n{"b":'
    assert cut_bytes(file, final=False).end == 8
    assert cut(lambda at, size: file[at : at + size], 8, SMALL) is None


def test_half_a_line_at_the_end_of_a_finished_file_is_kept() -> None:
    made = cut_bytes(b'{"a":1}\n{"b":')
    assert reasons(made) == [UNTERMINATED]
    assert made.end == 13


def test_a_line_of_the_greatest_length_is_good_and_one_byte_more_is_not() -> None:
    longest = b'{"a":"' + b"x" * (64 - 8) + b'"}'
    assert cut_bytes(longest + b"\n").quarantined == 0
    assert reasons(cut_bytes(longest.replace(b"x", b"xx", 1) + b"\n")) == [TOO_LONG, TOO_LONG]


def test_the_line_after_one_that_is_too_long_is_good() -> None:
    file = b'{"a":"' + b"x" * 150 + b'"}\n{"b":1}\n'
    made = cut_bytes(file)
    assert content(made)[-1] == b'{"b":1}\n'
    assert b"".join(map(original, content(made))) == file


def test_cutting_goes_on_in_the_middle_of_a_line_that_is_too_long() -> None:
    file = b"x" * 65 * 4 + b'{"not":"a line"}\n{"b":1}\n'
    first = cut_bytes(file)
    assert first.end == 65 * 4
    second = cut_bytes(file, first.end)
    assert reasons(second) == [TOO_LONG]
    assert content(second)[-1] == b'{"b":1}\n'


def test_a_file_without_any_newline_never_needs_more_than_a_block() -> None:
    sizes = []

    def endless(at: int, size: int) -> bytes:
        sizes.append(size)
        return b"x" * size if at < 1_000_000_000 else b""

    start, bounds = 0, Bounds(bytes=50_000_000)
    made = cut(endless, start, bounds)
    assert made is not None
    assert 50_000_000 <= made.end <= 50_000_000 + bounds.longest_line + 1
    assert max(sizes) == bounds.longest_line + 1


@given(
    file=st.lists(
        st.one_of(
            st.binary(max_size=90),
            st.dictionaries(st.text(max_size=5), st.text(max_size=40), max_size=2).map(
                lambda one: json.dumps(one, ensure_ascii=False).encode("utf-8", "surrogatepass")
            ),
        )
    ).map(b"\n".join)
)
def test_whatever_a_file_holds_every_byte_is_kept_once(file: bytes) -> None:
    start = 0
    kept: list[bytes] = []
    while made := cut(lambda at, size: file[at : at + size], start, SMALL, final=True):
        assert made.start == start
        lines = content(made)
        assert len(lines) == made.lines
        assert all(json.loads(line) is not None for line in lines)
        assert made.content == hashlib.sha256(file[start : made.end]).hexdigest()
        kept += map(original, lines)
        start = made.end
    assert b"".join(kept) == file
