"""From files to a sink: every line once, whatever happens to the files and to the agent."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.agents.audit.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def lines(first: int, count: int, mark: str = "a") -> list[bytes]:
    return [
        b'{"%s":%d,"text":"%s"}\n' % (mark.encode(), n, b"x" * 30)
        for n in range(first, first + count)
    ]


def assert_shipped(rig: Rig, expected: list[bytes]) -> None:
    assert sorted(rig.shipped()) == sorted(expected)
    assert rig.breaks() == []


def test_lines_are_shipped_in_order(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 40)))
    rig.ship()
    assert rig.shipped() == lines(0, 40)
    assert rig.breaks() == []


def test_what_is_not_enough_waits_until_it_is_old_enough(rig: Rig) -> None:
    rig.write(lines(0, 1)[0])
    rig.ship(flush=False)
    assert rig.shipped() == []
    rig.time += 5
    rig.ship(flush=False)
    assert rig.shipped() == lines(0, 1)


def test_half_a_line_is_shipped_when_it_is_whole(rig: Rig) -> None:
    whole = lines(0, 2)
    rig.write(whole[0] + whole[1][:10])
    rig.ship()
    assert rig.shipped() == whole[:1]
    rig.write(whole[1][10:])
    rig.ship()
    assert_shipped(rig, whole)


def test_half_a_line_does_not_hold_another_file_up(rig: Rig) -> None:
    rig.write(lines(0, 1)[0] + b'{"half', "a.jsonl")
    rig.ship()
    rig.write(lines(0, 3, "b")[0], "b.jsonl")
    rig.ship()
    assert lines(0, 1, "b")[0] in rig.shipped()


def test_a_renamed_file_is_drained_before_the_one_that_takes_its_name(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 3)))
    rig.ship()
    rig.write(b"".join(lines(3, 3)))
    rig.path().rename(rig.path("a.jsonl.1"))
    rig.write(b"".join(lines(6, 3)))
    rig.ship()
    assert rig.shipped() == lines(0, 9)
    assert rig.breaks() == []


def test_a_writer_that_goes_on_in_a_renamed_file_is_followed(rig: Rig) -> None:
    with rig.path().open("ab", buffering=0) as writer:
        writer.write(b"".join(lines(0, 3)))
        rig.ship()
        rig.path().rename(rig.folder / "moved-away")
        rig.ship()
        writer.write(b"".join(lines(3, 2)))
    rig.ship()
    assert_shipped(rig, lines(0, 5))


def test_a_removed_file_is_drained_to_its_end(rig: Rig) -> None:
    with rig.path().open("ab", buffering=0) as writer:
        writer.write(b"".join(lines(0, 30)))
        rig.poll()
        rig.path().unlink()
        writer.write(b"".join(lines(30, 30)) + b'{"half')
        rig.finish()
    assert rig.shipped() == [*lines(0, 60), b'{"half']
    assert rig.breaks() == []


def test_a_file_made_anew_under_the_same_name_begins_anew(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 3)))
    rig.ship()
    rig.path().unlink()
    rig.write(b"".join(lines(3, 3)))
    rig.finish()
    assert_shipped(rig, lines(0, 6))


def test_an_inode_that_is_used_again_is_another_file(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 3)))
    rig.ship()
    inode = rig.path().stat().st_ino
    with rig.path().open("r+b") as same:  # what an inode's reuse looks like after a restart
        same.truncate(0)
        same.write(b"".join(lines(10, 5)))
    assert rig.path().stat().st_ino == inode
    rig.start()
    rig.ship()
    assert_shipped(rig, lines(0, 3) + lines(10, 5))


def copytruncate(rig: Rig) -> None:
    shutil.copyfile(rig.path(), rig.path("a.jsonl.1"))
    os.truncate(rig.path(), 0)


def test_copytruncate_ships_the_rest_from_the_copy(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 3)))
    rig.ship()
    rig.write(b"".join(lines(3, 3)))
    copytruncate(rig)
    rig.write(b"".join(lines(6, 2)))
    rig.ship()
    assert_shipped(rig, lines(0, 8))


def test_copytruncate_before_anything_was_shipped(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 3)))
    rig.poll()
    copytruncate(rig)
    rig.write(b"".join(lines(3, 3)))
    rig.ship()
    assert_shipped(rig, lines(0, 6))


def test_copytruncate_while_the_agent_was_down(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 3)))
    rig.ship()
    rig.write(b"".join(lines(3, 3)))
    copytruncate(rig)
    rig.write(b"".join(lines(6, 3)))
    rig.start()
    rig.ship()
    assert_shipped(rig, lines(0, 9))


def test_a_copy_waits_while_its_original_is_whole(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 3)))
    rig.ship()
    rig.write(b"".join(lines(3, 3)))
    shutil.copyfile(rig.path(), rig.path("a.jsonl.1"))
    rig.ship()
    assert_shipped(rig, lines(0, 6))
    os.truncate(rig.path(), 0)
    rig.write(b"".join(lines(6, 3)))
    rig.ship()
    assert_shipped(rig, lines(0, 9))


def test_copytruncate_after_the_cursor_was_lost(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 30)))
    rig.ship()
    copytruncate(rig)
    (rig.folder / "state" / "cursor").unlink()
    rig.start()
    rig.write(b"".join(lines(30, 3)))
    rig.ship()
    assert_shipped(rig, lines(0, 33))


def test_what_was_cut_off_with_no_copy_is_counted(rig: Rig) -> None:
    from agents.audit.choose import lost

    rig.write(b"".join(lines(0, 3)))
    rig.ship()
    rig.write(b"".join(lines(3, 2)))
    rig.poll()
    os.truncate(rig.path(), 0)
    rig.poll()
    assert rig.shipper.cursor is not None
    (cut_off,) = rig.tail.cut_off
    assert lost(cut_off, rig.tail.readable(), rig.shipper.cursor) == len(b"".join(lines(3, 2)))


def test_several_writers_of_one_file_lose_nothing(rig: Rig) -> None:
    for n in range(20):
        rig.write(lines(n, 1, "a")[0] + lines(n, 1, "b")[0])
        rig.ship()
    assert_shipped(rig, lines(0, 20, "a") + lines(0, 20, "b"))


def test_what_comes_between_a_poll_and_a_step_is_shipped_once(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 2)))
    rig.poll()
    rig.write(b"".join(lines(2, 3)))
    assert rig.shipper.step(flush=True)
    # It has read on to the end, which is further than the poll saw.
    assert not rig.shipper.step(flush=True)
    rig.ship()
    assert rig.shipped() == lines(0, 5)
    assert [one.head.file.generation for one in rig.sink.objects.values()] == [0]
    assert rig.breaks() == []


def test_a_refusing_sink_stops_the_reading_and_loses_nothing(rig: Rig) -> None:
    rig.sink.refuse = 7
    rig.write(b"".join(lines(0, 60)))
    rig.ship()
    assert rig.shipped() == lines(0, 60)
    assert rig.breaks() == []


def test_a_lost_answer_does_not_double(rig: Rig) -> None:
    rig.sink.forget_to_say = 3
    rig.write(b"".join(lines(0, 60)))
    rig.ship()
    assert rig.shipped() == lines(0, 60)


def test_a_crash_after_a_lost_answer_neither_doubles_nor_forks_the_chain(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 10)))
    rig.poll()
    rig.sink.forget_to_say = 1
    with pytest.raises(Exception, match="broke"):
        rig.shipper.step(flush=True)
    rig.start()
    rig.write(b"".join(lines(0, 9, "b")), "0-sorts-first.jsonl")
    rig.ship()
    assert_shipped(rig, lines(0, 10) + lines(0, 9, "b"))


def test_a_spooled_segment_outlives_its_file(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 5)))
    rig.poll()
    rig.sink.refuse = 1
    with pytest.raises(Exception, match="away"):
        rig.shipper.step(flush=True)
    rig.path().unlink()
    rig.start()
    rig.ship()
    assert_shipped(rig, lines(0, 5))


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\xff\xfe", b"0" * 5000])
def test_a_damaged_cursor_is_made_anew_from_the_sink(rig: Rig, damage: bytes) -> None:
    rig.write(b"".join(lines(0, 30)))
    rig.ship()
    (rig.folder / "state" / "cursor").write_bytes(damage)
    rig.start()
    rig.write(b"".join(lines(30, 30)))
    rig.ship()
    assert_shipped(rig, lines(0, 60))


def take_away(rig: Rig, count: int) -> None:
    """Remove the newest segments from the sink."""
    newest = sorted(rig.sink.objects.values(), key=lambda one: -one.head.number)[:count]
    for one in newest:
        del rig.sink.objects[one.head.key]


@pytest.mark.parametrize("cursor", ["as it was", "with no segment beside it"])
def test_newest_segments_that_were_taken_away_are_a_gap_for_ever(rig: Rig, cursor: str) -> None:
    rig.write(b"".join(lines(0, 60)))
    rig.ship()
    count = len(rig.sink.objects)
    before = dict(rig.sink.objects)
    take_away(rig, 3)
    rig.path().unlink()
    if cursor != "as it was":
        (rig.folder / "state" / "segment").unlink()
    rig.start()
    made = rig.shipper.begin()
    assert made.number == count
    assert made.missing is not None
    assert made.missing.number == count
    assert rig.breaks()[0].number == count - 2
    rig.write(b"".join(lines(0, 30, "b")), "b.jsonl")
    rig.ship()
    assert rig.breaks()[0].number == count - 2
    rig.start()
    assert rig.shipper.begin().missing is not None, "a start forgets it"
    rig.sink.objects.update(before)
    rig.start()
    assert rig.shipper.begin().missing is None
    assert_shipped(rig, lines(0, 60) + lines(0, 30, "b"))


def test_what_was_taken_away_is_found_also_where_the_sink_is_away_at_first(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 60)))
    rig.ship()
    rig.write(b"".join(lines(60, 5)))
    rig.sink.refuse = 2
    for start in (False, True):
        if start:
            rig.start()
        rig.poll()
        with pytest.raises(Exception, match="away"):
            rig.shipper.step(flush=True)
    take_away(rig, 3)
    rig.ship()
    assert rig.breaks() != []


def test_another_object_in_the_newest_ones_place_is_not_taken_for_it(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 10)))
    rig.ship()
    (key, newest), *_ = sorted(rig.sink.objects.items(), key=lambda one: -one[1].head.number)
    rig.sink.objects[key] = replace(newest, digest="f" * 64)
    rig.start()
    cursor = rig.shipper.begin()
    assert (cursor.number, cursor.digest) == (newest.head.number, newest.digest)
    assert cursor.missing is not None


def test_a_start_with_a_cursor_does_not_read_all_of_the_sink(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.write(b"".join(lines(0, 60)))
    rig.ship()
    monkeypatch.setattr(rig.sink, "ends", None)
    rig.start()
    rig.write(b"".join(lines(60, 10)))
    rig.ship()
    monkeypatch.undo()
    assert_shipped(rig, lines(0, 70))


@pytest.mark.parametrize("went_on_in", ["a.jsonl", "b.jsonl"])
def test_a_machine_that_was_set_back_does_not_fork_the_chain(rig: Rig, went_on_in: str) -> None:
    rig.write(b"".join(lines(0, 30)))
    rig.ship()
    yesterday = {path: path.read_bytes() for path in (rig.folder / "state").iterdir()}
    rig.write(b"".join(lines(30, 30)), went_on_in)
    rig.ship()
    for path, content in yesterday.items():
        path.write_bytes(content)
    rig.start()
    rig.write(b"".join(lines(0, 30, "c")), "0.jsonl")
    rig.ship()
    assert_shipped(rig, lines(0, 60) + lines(0, 30, "c"))


def test_a_machine_with_another_name_begins_a_chain_of_its_own(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 30)))
    rig.ship()
    rig.start()
    rig.shipper.node = "n2"
    assert rig.shipper.begin().number == 0
    assert rig.shipper.begin().missing is None


def test_a_lost_memory_forgets_no_file_whose_segments_were_removed(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 10)))
    rig.write(b"".join(lines(0, 10, "b")), "b.jsonl")
    rig.ship()
    first = min(rig.sink.objects.values(), key=lambda one: one.head.number).head.file
    rig.sink.objects = {key: one for key, one in rig.sink.objects.items() if one.head.file != first}
    count = len(rig.sink.objects)
    (rig.folder / "state" / "segment").unlink()
    rig.start()
    rig.ship()
    assert len(rig.sink.objects) == count


def test_a_cursor_from_yesterday_does_not_fork_the_chain(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 30)))
    rig.ship()
    yesterday = (rig.folder / "state" / "cursor").read_bytes()
    rig.write(b"".join(lines(0, 30, "b")), "b.jsonl")
    rig.ship()
    (rig.folder / "state" / "cursor").write_bytes(yesterday)
    rig.start()
    rig.write(b"".join(lines(0, 30, "c")), "0.jsonl")
    rig.ship()
    assert_shipped(rig, lines(0, 30) + lines(0, 30, "b") + lines(0, 30, "c"))


def test_where_other_bytes_were_shipped_under_a_files_name_both_are_kept(
    rig: Rig, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    before = Rig(other)
    before.logs = rig.logs
    before.start()
    rig.write(b"".join(lines(0, 8)))
    before.ship()
    rig.shipper.begin()
    rig.sink.objects.update(before.sink.objects)
    changed = b"".join(lines(0, 8)).replace(b'"a":5', b'"a":9')
    rig.path().write_bytes(changed)
    rig.ship()
    assert sorted(rig.shipped()) == sorted(lines(0, 8) + changed.splitlines(keepends=True))
    assert rig.shipper.counts.conflicts == 1
    assert len(list((rig.folder / "state").glob("conflict-*"))) == 1


def test_what_is_no_plain_file_is_left_alone(rig: Rig) -> None:
    os.mkfifo(rig.path("pipe.jsonl"))
    rig.path("folder.jsonl").mkdir()
    rig.path("link.jsonl").symlink_to("/etc/passwd")
    rig.ship()
    assert rig.shipped() == []


def test_two_sinks_come_on_at_their_own_pace(rig: Rig, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    slow = Rig(other)
    slow.logs = rig.logs
    slow.start()
    rig.write(b"".join(lines(0, 30)))
    rig.ship()
    assert slow.shipped() == []
    slow.ship()
    assert slow.shipped() == rig.shipped() == lines(0, 30)


def test_what_a_writer_takes_back_and_writes_anew_is_shipped_beside_what_it_was(rig: Rig) -> None:
    rig.write(b"".join(lines(0, 4)))
    rig.ship()
    os.truncate(rig.path(), len(b"".join(lines(0, 3))))
    rig.ship()
    rig.write(b"".join(lines(10, 3)))
    rig.ship()
    assert sorted(rig.shipped()) == sorted(lines(0, 4) + lines(10, 3))
    assert rig.breaks() == []
