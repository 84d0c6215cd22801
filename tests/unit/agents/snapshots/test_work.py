"""A snapshot counts once it was read again; one that is broken says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agents.backup.catalog import Catalog
from agents.backup.manifest import Manifest
from agents.backup.retention import Policy
from agents.snapshots.source import File, Pieces, SnapshotBroken
from agents.snapshots.work import Snapshots
from flowrex.errors import ConfigurationError, ServerUnreachable, UsageError
from flowrex.testing.clock import FakeClock
from flowrex.testing.consul import FakeConsul
from flowrex.testing.s3 import FakeS3
from tests.unit.agents.backup.making import FakeKeys


@dataclass
class Server:
    """A server whose snapshot is `content`; it is whole where it ends with `tail`."""

    content: bytes = b"everything, end"
    away: bool = False
    restored: list[bytes] = field(default_factory=list)
    kind: str = "consul"
    tail: bytes = b"end"

    def files(self) -> tuple[File, ...]:
        return (File("snapshot.tgz", self._read, self._check, compress=False),)

    def where(self) -> str:
        return "http://127.0.0.1:8500"

    def restore(self, read: object) -> str:
        self.restored.append(b"".join(read("snapshot.tgz")))  # type: ignore[operator]
        return "That was all."

    @contextmanager
    def _read(self) -> Iterator[Pieces]:
        def pieces() -> Pieces:
            yield self.content[:5]
            if self.away:
                raise ServerUnreachable("it went away")
            yield self.content[5:]

        yield pieces()

    def _check(self, pieces: Pieces) -> None:
        if not b"".join(pieces).endswith(self.tail):
            raise SnapshotBroken("it has no end")


@dataclass
class Rig:
    server: Server = field(default_factory=Server)
    s3: FakeS3 = field(default_factory=FakeS3)
    consul: FakeConsul = field(default_factory=FakeConsul)
    keys: FakeKeys = field(default_factory=FakeKeys)

    def __post_init__(self) -> None:
        self.s3.ensure_bucket("backups", object_lock=True)
        self.work = Snapshots(
            environment="dev",
            node="node-1",
            consul=lambda: self.consul,  # type: ignore[arg-type,return-value]
            sources={"consul": self.server},
            catalogs={"consul": Catalog(lambda: self.s3, "backups", "dev", "consul")},  # type: ignore[arg-type,return-value]
            keys={"consul": self.keys},
            policy=Policy(),
            now=FakeClock().now,
        )


def taken(rig: Rig) -> Manifest:
    made = rig.work.take("consul", "manual")
    assert made is not None
    return made


def test_a_snapshot_is_sealed_listed_and_good() -> None:
    rig = Rig()
    made = taken(rig)
    (listed,) = rig.work.list("consul").backups
    assert (listed.name, listed.good) == (made.name, True)
    assert made.source == "http://127.0.0.1:8500"
    contents = rig.s3.contents("backups")
    assert f"consul/dev/{made.name}/snapshot.tgz" in contents
    assert not any(b"everything" in content for content in contents.values())


def test_a_server_that_goes_away_in_the_middle_leaves_no_snapshot() -> None:
    rig = Rig(Server(away=True))
    with pytest.raises(ServerUnreachable):
        rig.work.take("consul", "manual")
    assert rig.work.list("consul").backups == ()
    assert rig.s3.contents("backups") == {}


def test_one_that_came_broken_is_listed_as_broken() -> None:
    rig = Rig(Server(content=b"everything, and then"))
    with pytest.raises(SnapshotBroken, match="has no end"):
        rig.work.take("consul", "manual")
    (listed,) = rig.work.list("consul").backups
    assert not listed.good


def test_one_that_was_changed_in_the_store_is_not_restored() -> None:
    rig = Rig()
    made = taken(rig)
    key = f"consul/dev/{made.name}/snapshot.tgz"
    content = rig.s3.contents("backups")[key]
    rig.s3.corrupt("backups", key, content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(SnapshotBroken):
        rig.work.restore("consul", made.name)
    assert rig.server.restored == []


def test_a_restore_gives_the_server_what_it_gave() -> None:
    rig = Rig()
    rig.work.take("consul", "manual")
    assert rig.work.restore("consul", "newest") == "That was all."
    assert rig.server.restored == [rig.server.content]


def test_a_snapshot_is_fetched_into_files_for_one_reader(tmp_path: Path) -> None:
    rig = Rig()
    rig.work.take("consul", "manual")
    (path,) = rig.work.fetch("consul", "newest", tmp_path / "out")
    assert path.read_bytes() == rig.server.content
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError, match="File exists"):
        rig.work.fetch("consul", "newest", tmp_path / "out")


def test_without_vault_nothing_is_taken() -> None:
    rig = Rig()
    rig.keys.sealed = True
    with pytest.raises(ServerUnreachable):
        rig.work.take("consul", "manual")
    assert rig.s3.contents("backups") == {}


def test_what_is_switched_off_is_named() -> None:
    with pytest.raises(UsageError, match="not switched on"):
        Rig().work.take("redis", "manual")


def test_what_another_node_took_while_the_lock_was_waited_for_is_not_taken_again() -> None:
    rig = Rig()
    assert rig.work.take("consul", "scheduled", unless=lambda: True) is None
    assert rig.work.list("consul").backups == ()


def test_where_consul_is_away_nobody_knows_who_is_at_it_and_none_is_taken() -> None:
    rig = Rig()
    rig.consul.down = True
    with pytest.raises(ServerUnreachable):
        rig.work.take("consul", "manual")
    assert rig.work.list("consul").backups == ()
