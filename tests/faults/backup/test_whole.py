"""First of all: without any fault, a backup is taken, read, restored and compared."""

from __future__ import annotations

import pytest

from tests.faults.backup.conftest import World

pytestmark = pytest.mark.ci


def test_a_backup_is_taken_read_and_restored(world: World) -> None:
    rows = int(world.postgres.value("SELECT count(*) FROM orders"))
    assert rows >= 2000
    manifest = world.take()
    assert manifest.rows["public.orders"] == rows
    assert manifest.schema_revision == "0007"
    assert world.verify(manifest.name).details["entries"] > 5
    assert world.drill(manifest.name).good
    (backup,) = world.books.list().backups
    assert backup.good


def test_the_counts_are_of_the_same_moment_as_the_dump(world: World) -> None:
    # Rows that come in while the dump is under way are neither in it nor counted.
    added: list[str] = []

    def meanwhile(message: str) -> None:
        if message.startswith("dumping") and not added:
            world.postgres.fill(10)
            added.append(message)

    manifest = world.take(progress=meanwhile)
    assert world.drill(manifest.name).good
