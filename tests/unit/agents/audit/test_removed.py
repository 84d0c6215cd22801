"""Files that are removed before they are shipped: saved where that can be, counted where not."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from agents.audit import removed
from agents.audit.cut import Bounds
from agents.cursor import Cursor, Loss, Position
from flowrex.audit.segment import FileId, original
from tests.unit.agents.audit.place import Place, ToldSink

FOREVER = 1_000_000
BOUNDS = Bounds(bytes=3000, longest_line=3000)


def lines(first: int, count: int) -> list[bytes]:
    return [b'{"a":%d,"text":"%s"}\n' % (n, b"x" * 2000) for n in range(first, first + count)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A node with two sinks and two lines a segment."""
    return Place(tmp_path, [ToldSink("s3"), ToldSink("syslog")], bounds=BOUNDS)


def again(place: Place) -> Place:
    """Return the same node with a process of its own."""
    place.tail.close()
    return Place(place.folder, place.sinks, bounds=BOUNDS)


def look(place: Place) -> None:
    """Poll as the task does, without shipping."""
    place.task._look()


def shipped(sink: ToldSink) -> list[bytes]:
    segments = sorted(sink.objects.values(), key=lambda one: one.head.number)
    return [original(line) for one in segments for line in one.lines()]


def away(place: Place, *, back: bool = False) -> None:
    for sink in place.sinks:
        sink.refuse = 0 if back else FOREVER


def copies(place: Place) -> list[str]:
    folder = place.folder / "state" / "removed"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def lost(place: Place, sink: str = "s3") -> float:
    (family,) = [one for one in place.task.metrics() if one.name == "flowrex_audit_lost_bytes"]
    return {one.labels["sink"]: float(one.value) for one in family.samples}[sink]


async def removed_while_away(place: Place) -> Path:
    """Ship three lines, lose the sinks, write five more and remove the file."""
    path = place.write(b"".join(lines(0, 3)))
    async with place.running():
        assert await place.task.flush_now()
        away(place)
        place.write(b"".join(lines(3, 5)))
        await place.task._poll()
        path.unlink()
    return path


async def test_a_stop_saves_what_is_left_and_the_next_start_ships_it_once(place: Place) -> None:
    await removed_while_away(place)
    assert len(copies(place)) == 2
    for back in (False, True):
        away(place, back=back)
        place = again(place)
        async with place.running():
            assert await place.task.flush_now(within_s=10 if back else 0.2) is back
            await place.task._poll()
    for sink in place.sinks:
        assert shipped(sink) == lines(0, 8)
        assert {one.head.file.generation for one in sink.objects.values()} == {0}
    assert copies(place) == []
    assert lost(place) == 0


async def test_each_sink_goes_on_from_where_it_was(place: Place) -> None:
    path = place.write(b"".join(lines(0, 3)))
    place.sinks[1].refuse = FOREVER
    async with place.running():
        assert await place.task.flush_now(sink="s3")
        place.sinks[0].refuse = FOREVER
        place.write(b"".join(lines(3, 5)))
        await place.task._poll()
        path.unlink()
    away(place, back=True)
    place = again(place)
    async with place.running():
        assert await place.task.flush_now()
    assert [shipped(sink) for sink in place.sinks] == [lines(0, 8)] * 2


async def test_a_new_file_of_the_same_name_is_another(place: Place) -> None:
    await removed_while_away(place)
    place.write(b"".join(lines(100, 2)))
    away(place, back=True)
    place = again(place)
    async with place.running():
        assert await place.task.flush_now()
    assert sorted(shipped(place.sinks[0])) == sorted(lines(0, 8) + lines(100, 2))


async def test_what_is_removed_for_a_while_outlives_a_kill(place: Place) -> None:
    away(place)
    path = place.write(b"".join(lines(0, 8)))
    look(place)
    path.unlink()
    look(place)
    assert copies(place) == []  # a writer may have it open still
    await place.clock.advance(61)
    look(place)
    assert len(copies(place)) == 2
    assert place.task.status()["saved_files"] == 1
    away(place, back=True)
    place = again(place)
    async with place.running():
        assert await place.task.flush_now()
    assert [shipped(sink) for sink in place.sinks] == [lines(0, 8)] * 2


async def killed_with_a_removed_file(place: Place) -> Place:
    """Let lines wait for long, remove their file and kill the agent; return the next one."""
    path = place.write(b"".join(lines(0, 3)))
    async with place.running():
        assert await place.task.flush_now()
    place = again(place)
    away(place)
    place.write(b"".join(lines(3, 5)))
    look(place)
    await place.clock.advance(31)
    look(place)
    path.unlink()
    away(place, back=True)
    return again(place)


async def test_what_a_kill_took_is_counted_for_good(place: Place) -> None:
    place = await killed_with_a_removed_file(place)
    size = len(b"".join(lines(3, 5)))
    async with place.running():
        assert await place.task.flush_now()
        await place.task._poll()
        assert lost(place) == size
        status = place.task.status()
        assert f"{size} bytes that were removed before s3 had them are lost" in status["problem"]
        assert list(status["sinks"]["s3"]["lost_files"].values()) == [size]
    place = again(place)
    async with place.running():
        assert await place.task.flush_now()
        await place.task._poll()
        assert lost(place) == lost(place, "syslog") == size, "a start forgets it"
        assert place.task.status()["problem"] == ""


async def test_what_is_removed_is_known_at_once(place: Place) -> None:
    away(place)
    path = place.write(b"".join(lines(0, 8)))
    look(place)
    path.unlink()
    look(place)
    away(place, back=True)
    place = again(place)
    async with place.running():
        assert await place.task.flush_now()
        await place.task._poll()
        assert lost(place) == len(b"".join(lines(0, 8)))


def test_files_of_one_name_are_counted_together() -> None:
    lost = {FileId(1, inode, "0" * 16): Loss("/a", 10) for inode in range(3)}
    cursor = Cursor(files={FileId(1, 1, "0" * 16): Position(4)}, lost=lost)
    assert cursor.lost_bytes() == {"/a": 26}


async def test_a_file_that_is_out_of_the_patterns_is_not_lost(place: Place) -> None:
    place = await killed_with_a_removed_file(place)
    path = place.write(b"".join(lines(0, 8)))
    status = path.stat()
    assert removed._leads_to(str(path), FileId(status.st_dev, status.st_ino, "x"))
    path.unlink()
    assert not removed._leads_to(str(path), FileId(status.st_dev, status.st_ino, "x"))


async def test_what_there_is_no_room_for_is_told_and_then_counted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(free=0)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: full)
        await removed_while_away(place)
        size = len(b"".join(lines(5, 3)))
        assert place.task.status()["unsaved_bytes"] >= size
        assert "can't be saved: No space left" in place.task.status()["problem"]
    assert copies(place) == []
    away(place, back=True)
    place = again(place)
    async with place.running():
        assert await place.task.flush_now()
        await place.task._poll()
        assert lost(place) == size  # two lines more were in the spool


async def test_a_file_that_gets_its_name_back_is_read_itself(place: Place) -> None:
    path = place.write(b"".join(lines(0, 3)))
    kept = place.folder / "elsewhere"
    async with place.running():
        assert await place.task.flush_now()
        away(place)
        place.write(b"".join(lines(3, 5)))
        await place.task._poll()
        path.rename(kept)
    assert len(copies(place)) == 2
    with kept.open("ab") as file:
        file.write(b"".join(lines(8, 2)))
    kept.rename(path)
    away(place, back=True)
    place = again(place)
    async with place.running():
        assert await place.task.flush_now()
    assert shipped(place.sinks[0]) == lines(0, 10)
    assert copies(place) == []


@pytest.mark.parametrize("damage", [b"", b"[]", b"\xff", b'{"x":1}'])
async def test_damaged_memories_do_no_harm(place: Place, damage: bytes) -> None:
    await removed_while_away(place)
    state = place.folder / "state"
    (state / "audit" / "waiting").write_bytes(damage)
    for path in (state / "removed").glob("*.json"):
        path.write_bytes(damage)
    away(place, back=True)
    place = again(place)
    async with place.running():
        assert await place.task.flush_now()
    assert shipped(place.sinks[0]) == lines(0, 5)
