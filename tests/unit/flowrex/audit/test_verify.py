"""The proof finds whatever was removed, reordered or changed."""

from __future__ import annotations

import hashlib

import pytest

from flowrex.audit.proof import Break, Proof, examine
from flowrex.audit.record import Link
from flowrex.audit.segment import FileId, Opened, compress_head, compressor
from flowrex.audit.summary import told
from flowrex.audit.verify import Tip, join
from tests.unit.flowrex.audit.trail import Shipper, Writer

ONE, TWO = FileId(1, 10, "0" * 16), FileId(1, 11, "1" * 16)


@pytest.fixture
def trail() -> Shipper:
    """Two files of two writers, two segments each; the second writer rotates into a third file."""
    shipper = Shipper()
    first, second = Writer(Link("a" * 32)), Writer(Link("b" * 32))
    shipper.ship(ONE, first.lines(3))
    shipper.ship(TWO, second.lines(2))
    shipper.ship(ONE, first.lines(3))
    shipper.ship(TWO, second.lines(2))
    shipper.ship(FileId(1, 12, "2" * 16), second.lines(2))
    return shipper


def breaks(shipper: Shipper, *, partial: bool = False, tip: Tip | None = None) -> list[Break]:
    results = [examine(key, [body]) for key, body in shipper.objects.items()]
    bad = [one for one in results if isinstance(one, Break)]
    proofs = [one for one in results if isinstance(one, Proof)]
    return bad + join(proofs, partial=partial, tips={"n1": tip} if tip else None)


def keys(shipper: Shipper) -> list[str]:
    return list(shipper.objects)


def test_a_whole_trail_has_no_break(trail: Shipper) -> None:
    assert breaks(trail) == []


def test_the_order_of_reading_does_not_matter(trail: Shipper) -> None:
    trail.objects = dict(reversed(trail.objects.items()))
    assert breaks(trail) == []


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_removed_segment_is_the_first_break(trail: Shipper, number: int) -> None:
    del trail.objects[keys(trail)[number - 1]]
    found = breaks(trail)[0]
    assert found.number == number
    assert "is missing" in found.problem


def test_a_removed_end_is_found_by_what_the_agent_said(trail: Shipper) -> None:
    tip = Tip(trail.number, trail.predecessor)
    assert breaks(trail, tip=tip) == []
    del trail.objects[keys(trail)[-1]]
    assert breaks(trail) == []
    assert [one.number for one in breaks(trail, tip=tip)] == [5]


def test_a_node_that_lost_everything_is_found_by_what_its_agent_said() -> None:
    assert breaks(Shipper(), tip=Tip(3, "f" * 64))[0].number == 1


@pytest.mark.parametrize("at", [12, 90, -20, -1])
def test_a_changed_object_is_found(trail: Shipper, at: int) -> None:
    key = keys(trail)[2]
    body = bytearray(trail.objects[key])
    body[at] ^= 1
    trail.objects[key] = bytes(body)
    assert any(one.number in {0, 3, 4} for one in breaks(trail))


def reshipped(trail: Shipper, number: int, lines: list[bytes]) -> None:
    """Put another content in a segment's place, with a head that fits it."""
    key = keys(trail)[number - 1]
    head = Opened([trail.objects[key]]).head
    raw = b"".join(lines)
    fields = head.__dict__ | {
        "content": hashlib.sha256(raw).hexdigest(),
        "lines": len(lines),
        "end": head.start + len(raw),
    }
    frame = compressor()
    body = compress_head(type(head)(**fields)) + frame.compress(raw) + frame.flush()
    trail.objects[key] = body


def test_reordered_records_are_found_also_where_the_segment_was_made_anew(trail: Shipper) -> None:
    lines = list(Opened([trail.objects[keys(trail)[2]]]).lines())
    reshipped(trail, 3, [lines[0], lines[2], lines[1]])
    found = breaks(trail)[0]
    assert (found.number, "does not follow" in found.problem) == (3, True)


def test_a_segment_made_anew_is_found_by_its_successor(trail: Shipper) -> None:
    reshipped(trail, 4, [b'{"forged":true}\n'])
    assert any(
        one.number == 5 and "names another segment 4" in one.problem for one in breaks(trail)
    )


def test_a_record_removed_before_shipping_is_found() -> None:
    shipper, writer = Shipper(), Writer(Link("a" * 32))
    first, _, third = writer.lines(3)
    shipper.ship(ONE, [first])
    shipper.ship(ONE, [third])
    assert "record 3" in breaks(shipper)[0].problem


def test_records_removed_from_the_beginning_are_found() -> None:
    shipper, writer = Shipper(), Writer(Link("a" * 32))
    shipper.ship(ONE, writer.lines(3)[1:])
    assert "begins with record 2" in breaks(shipper)[0].problem


def test_records_shipped_twice_are_found() -> None:
    shipper, writer = Shipper(), Writer(Link("a" * 32))
    lines = writer.lines(3)
    shipper.ship(ONE, lines)
    shipper.ship(TWO, lines)
    assert "a second time" in breaks(shipper)[0].problem


def test_two_segments_with_one_number_are_found(trail: Shipper) -> None:
    trail.number = 3
    trail.ship(FileId(1, 13, "3" * 16), [b"{}\n"])
    assert any("another segment has this number" in one.problem for one in breaks(trail))


def test_a_part_of_the_trail_may_begin_anywhere(trail: Shipper) -> None:
    for key in keys(trail)[:2]:
        del trail.objects[key]
    assert breaks(trail) != []
    assert breaks(trail, partial=True) == []


def expire(trail: Shipper, removed: str, *, category: str = "agent", **other: str | int) -> None:
    """Ship the record of a segment's removal, and remove it."""
    proof = examine(removed, [trail.objects[removed]])
    assert isinstance(proof, Proof)
    writer, file = Writer(Link(f"ee{trail.number:030x}")), FileId(1, 100 + trail.number, "4" * 16)
    lines = [
        line
        for detail in told(proof, None)
        for line in writer.lines(1, "expired", **{**detail, **other})
    ]
    trail.ship(file, lines, category=category)
    assert breaks(trail) == []
    del trail.objects[removed]


def test_a_segment_whose_time_was_over_may_be_missing(trail: Shipper) -> None:
    for key in keys(trail):
        expire(trail, key)
        assert breaks(trail) == []


def test_another_segment_than_the_one_whose_time_was_over_is_not_excused(trail: Shipper) -> None:
    expire(trail, keys(trail)[0], digest="f" * 64)
    assert any("names another segment 1" in one.problem for one in breaks(trail))


def test_the_application_can_not_excuse_a_removal(trail: Shipper) -> None:
    expire(trail, keys(trail)[0], category="trading")
    assert any("is missing" in one.problem for one in breaks(trail))


def test_a_record_that_does_not_tell_of_which_segment_excuses_none(trail: Shipper) -> None:
    expire(trail, keys(trail)[0], key="audit/n1")
    assert any("is missing" in one.problem for one in breaks(trail))


def test_a_segment_that_went_beside_one_whose_time_was_over_is_missing(trail: Shipper) -> None:
    first, _, third = keys(trail)[:3]
    expire(trail, first)
    del trail.objects[third]
    assert [one.number for one in breaks(trail) if "is missing" in one.problem] == [3]


@pytest.mark.parametrize("rotated", [False, True])
def test_what_is_told_of_a_removal_hides_no_record_that_was_taken_away(rotated: bool) -> None:
    shipper, old, writer = Shipper(), Writer(Link("a" * 32)), Writer(Link("b" * 32))
    shipper.ship(TWO, old.lines(2))
    expire(shipper, keys(shipper)[0])
    first, _, third = writer.lines(3)
    shipper.ship(ONE, [first])
    shipper.ship(FileId(1, 12, "2" * 16) if rotated else ONE, [third])
    (found,) = breaks(shipper)
    assert "record 3 of the chain" in found.problem
    assert "does not follow" in found.problem


def test_what_is_told_of_a_removal_hides_no_beginning_that_was_taken_away(trail: Shipper) -> None:
    expire(trail, keys(trail)[0])
    trail.ship(FileId(1, 12, "3" * 16), Writer(Link("d" * 32)).lines(3)[1:])
    assert ["begins with record 2" in one.problem for one in breaks(trail)] == [True]


def test_what_is_told_of_a_removal_hides_no_bytes_that_were_left_out(trail: Shipper) -> None:
    expire(trail, keys(trail)[0])
    trail.ends[ONE] += 10
    trail.ship(ONE, [b"{}\n"])
    assert ["bytes " in one.problem for one in breaks(trail)] == [True]


def test_records_of_a_removed_segment_are_laid_to_those_after_it() -> None:
    shipper, writer = Shipper(), Writer(Link("a" * 32))
    first, _, third = writer.lines(3)
    shipper.ship(ONE, [first])
    expire(shipper, keys(shipper)[0])
    shipper.ship(ONE, [third])
    assert ["record 3 of the chain" in one.problem for one in breaks(shipper)] == [True]


def test_a_part_of_the_trail_may_tell_of_removals_before_it(trail: Shipper) -> None:
    first, second = keys(trail)[:2]
    expire(trail, first)
    expire(trail, second)
    del trail.objects[keys(trail)[0]]
    assert breaks(trail, partial=True) == []


def test_a_segment_of_very_many_writers_is_told_of_in_several_records() -> None:
    shipper = Shipper()
    lines = [Writer(Link(f"{n:032x}")).lines(1)[0] for n in range(2100)]
    key = shipper.ship(ONE, lines)
    proof = examine(key, [shipper.objects[key]])
    assert isinstance(proof, Proof)
    assert len(list(told(proof, None))) == 3
    expire(shipper, key)
    assert breaks(shipper) == []


def test_a_number_out_of_all_proportion_is_told_at_once() -> None:
    shipper = Shipper(number=10**15)
    shipper.ship(ONE, [b"{}\n"])
    assert "are missing" in breaks(shipper)[0].problem
