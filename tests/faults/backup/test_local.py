"""A full disk under a node's own copies, on a file system of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.backup import local
from agents.backup.names import backup_name
from flowrex.errors import ServerRefused
from tests.faults.backup.conftest import World
from tests.small_disk import small_disk

pytestmark = pytest.mark.ci


def test_a_copy_that_has_no_room_costs_no_other_and_leaves_nothing(
    world: World, tmp_path: Path
) -> None:
    now = world.source.now()
    first = world.take(name=backup_name("manual", now)).name
    size = sum(file.stored_size for file in world.straight.read(first).files)
    second = world.take(name="manual_20990101_000000").name

    def keep(name: str, root: Path) -> None:
        local.keep(world.straight, name, root, 2, tick=lambda: None)

    with small_disk(tmp_path / "disk", kib=(3 * size >> 10) + 64) as disk:
        keep(first, disk)
        ballast = disk / "ballast"
        with pytest.raises(OSError, match="No space"):
            ballast.write_bytes(b"x" * (4 * size + (1 << 20)))
        here = local.catalog_of(world.straight, disk)
        # Room for a part of it.
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - size // 2)
        with pytest.raises(ServerRefused, match="No space left on device") as caught:
            keep(second, disk)
        assert "It is in the store" in (caught.value.hint or "")
        assert [one.name for one in here.list().backups] == [first]
        assert world.reader(here).open(first)
        left = {path.name for path in disk.rglob("*") if path.is_file()}
        assert not [name for name in left if name.startswith(".")], "no half of a file"
        assert not (disk / world.straight.folder(second)).exists()
        ballast.unlink()
        keep(second, disk)
        assert [one.name for one in here.list().backups] == [first, second]
    assert [one.name for one in world.straight.list().backups] == sorted([first, second])
