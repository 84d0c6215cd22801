"""The object in which a range of an audit file is kept."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowrex.audit.record import Link
from flowrex.audit.segment import (
    FileId,
    Opened,
    SegmentDamaged,
    compress_head,
    from_metadata,
    original,
    parse_file_id,
    parse_head,
    quarantine,
)
from tests.unit.flowrex.audit.trail import Shipper, Writer

FILE = FileId(0xFD00, 131_585, "0011223344556677")


def shipped(lines: list[bytes]) -> tuple[str, bytes]:
    shipper = Shipper()
    key = shipper.ship(FILE, lines)
    return key, shipper.objects[key]


def test_it_is_named_by_node_class_file_and_start_alone() -> None:
    key, _ = shipped([b"{}\n"])
    assert key == f"audit/n1/trading/fd00-20201-0011223344556677/{0:020d}.jsonl.zst"


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_what_was_written_is_read_in_pieces_of_any_size(size: int) -> None:
    lines = Writer(Link("a" * 32)).lines(20)
    key, body = shipped(lines)
    opened = Opened(body[at : at + size] for at in range(0, len(body), size))
    assert opened.head.key == key
    assert list(opened.lines()) == lines
    assert opened.digest() == hashlib.sha256(body).hexdigest()


def test_its_metadata_say_what_its_head_says_but_for_the_path() -> None:
    key, body = shipped([b"{}\n"])
    head = Opened([body]).head
    assert from_metadata(key, head.metadata()) == replace(head, path="")


def test_an_object_under_another_name_is_refused() -> None:
    key, body = shipped([b"{}\n"])
    metadata = Opened([body]).head.metadata()
    with pytest.raises(SegmentDamaged, match="does not fit its metadata"):
        from_metadata(key.replace("n1", "n2").replace("0.jsonl", "7.jsonl"), metadata)


@pytest.mark.parametrize("key", ["audit/x", "audit/a/b/c/d", "other/a/b/c/0.jsonl.zst"])
def test_another_object_is_no_segment(key: str) -> None:
    with pytest.raises(SegmentDamaged):
        from_metadata(key, {})


@pytest.mark.parametrize("line", [b"", b"{}\n", b"[]\n", b'{"segment":1}\n', b'{"segment":2}\n'])
def test_a_first_line_that_is_no_head_is_refused(line: bytes) -> None:
    with pytest.raises(SegmentDamaged):
        parse_head(line)


def test_bytes_that_are_no_zstd_are_refused() -> None:
    with pytest.raises(SegmentDamaged, match="decompressed"):
        Opened([b"<Error>no</Error>"])


def test_a_head_keeps_a_path_that_is_not_ascii() -> None:
    _, body = shipped([b"{}\n"])
    head = replace(Opened([body]).head, path="/srv/größe/\udc80.jsonl")
    assert Opened([compress_head(head)]).head == head


@pytest.mark.parametrize("file", [FILE, replace(FILE, generation=3)])
def test_a_file_is_read_back_from_its_name(file: FileId) -> None:
    assert parse_file_id(str(file)) == file


@given(raw=st.binary(max_size=300), offset=st.integers(0, 2**62))
def test_a_quarantined_line_keeps_every_byte(raw: bytes, offset: int) -> None:
    line = quarantine(raw, offset, "not JSON")
    assert line.count(b"\n") == 1
    assert original(line) == raw


def test_a_good_line_stands_as_it_was() -> None:
    assert original(b'{"a":1}\n') == b'{"a":1}\n'


def test_a_damaged_quarantined_line_is_told() -> None:
    with pytest.raises(SegmentDamaged, match="quarantined"):
        original(b'{"quarantined":{"offset":0,"base64":"*"}}\n')
