"""S3 that refuses, hangs and lies: a backup is taken whole or not at all, and restores."""

from __future__ import annotations

import pytest

from agents.backup.verify import BackupBroken
from flowrex.errors import ServerUnreachable
from tests.faults.backup.conftest import World
from tests.faults.s3_proxy import Deed

PART, COMPLETE = "partNumber=1&", r"\?uploadId="
MANIFEST = "manifest.json"


@pytest.mark.ci
@pytest.mark.parametrize(
    ("method", "pattern", "deed"),
    [
        ("POST", "uploads", Deed.REFUSE),
        ("POST", "uploads", Deed.ERROR_IN_200),
        ("PUT", PART, Deed.REFUSE),
        ("PUT", PART, Deed.FORBIDDEN),
        ("PUT", PART, Deed.UNAVAILABLE),
        ("PUT", PART, Deed.ERROR_IN_200),
        ("PUT", PART, Deed.CORRUPT_BODY),
        ("PUT", PART, Deed.TRUNCATE_BODY),
        ("PUT", PART, Deed.PRETEND),
        ("POST", COMPLETE, Deed.REFUSE),
        ("POST", COMPLETE, Deed.ERROR_IN_200),
        ("POST", COMPLETE, Deed.PRETEND),
        ("PUT", MANIFEST, Deed.REFUSE),
        ("PUT", MANIFEST, Deed.ERROR_IN_200),
        ("PUT", MANIFEST, Deed.CORRUPT_BODY),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, Deed) else value,
)
def test_what_fails_leaves_no_backup_and_the_next_one_succeeds(
    world: World, method: str, pattern: str, deed: Deed
) -> None:
    world.proxy.fault(method, pattern, deed)
    with pytest.raises(ServerUnreachable):
        world.take(name="manual_20260301_120000")
    assert world.straight.list().backups == ()
    world.proxy.heal()
    manifest = world.take(name="manual_20260301_120001")
    world.verify(manifest.name)
    assert [one.name for one in world.straight.list().backups] == [manifest.name]


ONCE = [
    ("PUT", PART, Deed.LOSE_ANSWER),
    ("PUT", PART, Deed.UNAVAILABLE),
    ("PUT", PART, Deed.REFUSE),
    ("POST", COMPLETE, Deed.LOSE_ANSWER),
    ("PUT", MANIFEST, Deed.LOSE_ANSWER),
    ("GET", "database$", Deed.TRUNCATE_ANSWER),
    ("GET", "database$", Deed.CORRUPT_ANSWER),
    ("GET", "database$", Deed.REFUSE),
]


@pytest.mark.ci
@pytest.mark.parametrize(("method", "pattern", "deed"), ONCE, ids=str)
def test_what_fails_once_is_made_good(world: World, method: str, pattern: str, deed: Deed) -> None:
    world.proxy.fault(method, pattern, deed, times=1)
    assert world.verify(world.take().name).good
    assert len(world.straight.list().backups) == 1


@pytest.mark.parametrize(("method", "pattern", "deed"), ONCE, ids=str)
def test_and_restores(world: World, method: str, pattern: str, deed: Deed) -> None:
    world.proxy.fault(method, pattern, deed, times=1)
    world.take()
    assert world.every_listed_backup_restores() == 1


def test_a_store_that_hangs_is_given_up_in_bounded_time(world: World) -> None:
    world.proxy.fault("PUT", PART, Deed.HANG)
    with pytest.raises(ServerUnreachable, match="does not answer"):
        world.take()
    assert world.straight.list().backups == ()


@pytest.mark.parametrize("deed", [Deed.CORRUPT_ANSWER, Deed.TRUNCATE_ANSWER])
def test_a_backup_that_reads_wrong_again_and_again_is_never_good(world: World, deed: Deed) -> None:
    manifest = world.take()
    world.proxy.fault("GET", "database$", deed)
    with pytest.raises((BackupBroken, ServerUnreachable)):
        world.verify(manifest.name)
    assert not world.straight.list().find(manifest.name).good


@pytest.mark.ci
def test_a_backup_whose_object_was_replaced_is_broken_and_said_to_be(world: World) -> None:
    first = world.take(name="manual_20260301_120000")
    world.postgres.fill(10)
    second = world.take(name="manual_20260301_120001")
    stranger = world.straight.s3().get(world.straight.bucket, second.files[0].key)
    world.straight.s3().put(world.straight.bucket, first.files[0].key, stranger, if_absent=False)
    with pytest.raises(BackupBroken):
        world.verify(first.name)
    assert not world.straight.list().find(first.name).good
    assert world.verify(second.name).good
