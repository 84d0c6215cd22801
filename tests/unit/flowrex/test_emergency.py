"""What the kill switch's value means, as one table. Whatever can't be read is an emergency."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowrex.emergency import LONGEST_VALUE, NORMAL, WORDS, Emergency, Level, parse

HALT, CANCEL, FLATTEN, STOP = Level.HALT, Level.CANCEL, Level.FLATTEN, Level.STOP

# Value, level, and whether something in it can't be read.
READABLE = [
    (None, Level.NORMAL),
    (b"off", Level.NORMAL),
    (b"OFF", Level.NORMAL),
    (b" Off\n", Level.NORMAL),
    (b'{"level": "off"}', Level.NORMAL),
    (b'{"level": "off", "reason": "over", "by": "ops", "at": "2026-01-01T00:00:00Z"}', 0),
    (b"on", HALT),
    (b"ON", HALT),
    (b"On", HALT),
    (b"\ton \r\n", HALT),
    (b'{"level": "halt"}', HALT),
    (b'{"level": "cancel", "reason": "fat finger"}', CANCEL),
    (b'{"level": "flatten", "reason": "", "by": "", "at": ""}', FLATTEN),
    (b' {"level": "stop"} ', STOP),
    (b'{"level": "stop", "ticket": 7}', STOP),
    ('{"level": "stop", "reason": "Störung"}'.encode(), STOP),
]

UNREADABLE = {
    "empty": b"",
    "blank": b"  \n",
    "a byte order mark": b"\xef\xbb\xbfoff",
    "binary": b"\x00\xff\xfe",
    "Latin-1": "größe".encode("latin-1"),
    "a zero byte behind the word": b"off\x00",
    "another word": b"normal",
    "the word false": b"false",
    "the number nought": b"0",
    "null": b"null",
    "a JSON text": b'"off"',
    "a list": b'["off"]',
    "an empty object": b"{}",
    "an unknown level": b'{"level": "panic"}',
    "a level in capitals": b'{"level": "STOP"}',
    "an empty level": b'{"level": ""}',
    "the level normal": b'{"level": "normal"}',
    "no text as level": b'{"level": 4}',
    "a level of true": b'{"level": true}',
    "a level of null": b'{"level": null}',
    "a list of levels": b'{"level": ["off"]}',
    "an object as level": b'{"level": {"off": 1}}',
    "a level twice": b'{"level": "halt", "level": "off"}',
    "a reason twice": b'{"level": "off", "reason": "a", "reason": "b"}',
    "off with a reason that is no text": b'{"level": "off", "reason": 1}',
    "off with a person that is no text": b'{"level": "off", "by": ["ops"]}',
    "off with a time that is no text": b'{"level": "off", "at": 1700000000}',
    "cut off": b'{"level": "off"',
    "more than one document": b'{"level": "off"} {"level": "off"}',
    "single quotes": b"{'level': 'off'}",
    "a comment": b"off # until tomorrow",
    "nested too deeply": b"[" * 8000,
    "a number that is none": b'{"level": NaN}',
    "stop, with a number that is none": b'{"level": "stop", "ticket": NaN}',
    "long": b'{"level": "off", "reason": "' + b"x" * LONGEST_VALUE + b'"}',
    "huge": b"o" * 600_000,
    "long blanks around off": b" " * LONGEST_VALUE + b"off",
}


@pytest.mark.parametrize(("value", "level"), READABLE)
def test_what_can_be_read_is_that_level(value: bytes | None, level: int) -> None:
    found = parse(value)
    assert found.level == level
    assert found.problem == ""
    assert found.active == (level > 0)


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cant_be_read_is_halt_and_says_so(value: bytes) -> None:
    found = parse(value)
    assert found.level is HALT
    assert found.problem


@pytest.mark.parametrize("word", ["cancel", "flatten", "stop"])
def test_a_higher_level_stands_though_its_reason_cant_be_read(word: str) -> None:
    found = parse(json.dumps({"level": word, "reason": 7, "by": "ops"}).encode())
    assert (found.level.word, found.reason, found.by) == (word, "", "ops")
    assert "`reason`" in found.problem


@pytest.mark.parametrize("level", Level)
def test_what_is_written_is_read_again(level: Level) -> None:
    written = Emergency(level, 'a "reason"\nof two lines, ü', "ops", "2026-01-01T00:00:00+00:00")
    assert parse(written.encode().encode()) == written


def test_each_level_does_what_those_below_it_do() -> None:
    assert sorted(Level) == [Level.NORMAL, HALT, CANCEL, FLATTEN, STOP]
    assert WORDS == ("halt", "cancel", "flatten", "stop")
    assert Level.NORMAL.word == "off"


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_value_raises_and_only_off_is_normal(value: bytes) -> None:
    found = parse(value)
    if found == NORMAL:
        assert value.strip().lower() == b"off"
    else:
        assert found.active or b"off" in value


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["level", "reason", "by", "at"]), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_no_json_raises_and_only_a_whole_off_is_normal(document: object) -> None:
    found = parse(json.dumps(document).encode())
    if not found.active:
        assert isinstance(document, dict)
        assert document["level"] == "off"
        assert all(isinstance(value, str) for value in document.values())
