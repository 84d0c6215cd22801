"""Names of WAL segments, and gaps between them."""

from __future__ import annotations

import pytest

from agents.physical.wal import Gap, Segment, archived, gaps, position
from flowrex.errors import ConfigurationError


def segments(timeline: int, *numbers: int) -> list[Segment]:
    return [Segment(timeline, number) for number in numbers]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("000000010000000000000001", 1),
        ("0000000100000000000000FF", 255),
        ("000000010000000100000000", 256),
    ],
)
def test_a_segments_number_counts_on_over_the_log_files_end(name: str, number: int) -> None:
    segment = Segment.parse(name)
    assert segment == Segment(1, number)
    assert segment.name() == name


def test_the_size_of_a_segment_decides_what_a_name_means() -> None:
    big = 1 << 30
    assert Segment.parse("000000010000000100000000", big).number == 4
    with pytest.raises(ConfigurationError):
        Segment.parse("0000000100000000000000FF", big)


@pytest.mark.parametrize("name", ["", "00000002.history", "0000000100000000000001", "x" * 24])
def test_what_is_no_segment_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        Segment.parse(name)


def test_a_position_is_in_its_segment() -> None:
    assert Segment.at(1, position("0/3000028")) == Segment.parse("000000010000000000000003")
    assert Segment.at(2, position("1/0")) == Segment.parse("000000020000000100000000")


def test_only_whole_segments_count_as_archived() -> None:
    digest = "0" * 40
    keys = [
        f"physical/archive/flowrex/15-1/0000000100000000/000000010000000000000002-{digest}.zst",
        f"physical/archive/flowrex/15-1/0000000100000000/000000010000000000000003-{digest}",
        "physical/archive/flowrex/15-1/0000000100000000/000000010000000000000002.00000028.backup",
        f"…/000000010000000000000004.partial-{digest}.zst",
        "physical/archive/flowrex/15-1/00000002.history",
        "physical/archive/flowrex/archive.info",
    ]
    assert list(archived(keys)) == segments(1, 2, 3)


def test_neighbours_have_no_gap() -> None:
    assert gaps(segments(1, 1, 2, 3)) == ()
    assert gaps([]) == ()


def test_a_missing_segment_is_a_gap() -> None:
    assert gaps(segments(1, 1, 2, 5)) == (Gap(Segment(1, 3), Segment(1, 4)),)
    assert gaps(segments(1, 1, 2, 5))[0].count == 2


def test_a_timeline_may_begin_anywhere_in_its_parent() -> None:
    assert gaps([*segments(1, 1, 2, 3, 4), *segments(2, 2, 3)]) == ()
    assert gaps([*segments(1, 1, 2), *segments(2, 3, 4)]) == ()


def test_what_is_missing_where_a_timeline_begins_is_a_gap() -> None:
    assert gaps([*segments(1, 1, 2), *segments(2, 5)]) == (Gap(Segment(1, 3), Segment(1, 4)),)


def test_what_was_promised_must_be_there_at_the_end_as_well() -> None:
    assert gaps(segments(1, 1, 2), segments(1, 4)) == (Gap(Segment(1, 3), Segment(1, 4)),)
    assert gaps(segments(1, 1, 2), segments(1, 2)) == ()
    assert gaps([], segments(1, 7)) == (Gap(Segment(1, 7), Segment(1, 7)),)


def test_an_older_timeline_that_expired_leaves_no_gap() -> None:
    assert gaps([*segments(1, 1), *segments(3, 90, 91)]) == ()
