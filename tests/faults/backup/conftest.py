"""What every fault is tried on: a real PostgreSQL, the real gateway, and a proxy before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from agents.backup import drill, take, verify
from agents.backup.access import Access
from agents.backup.catalog import Catalog
from agents.backup.manifest import Manifest
from agents.backup.take import Source
from agents.backup.verify import Reader
from agents.settings.backup import Backup, Postgres, Retention, Schedules
from flowrex.settings.declare import Duration
from tests import gateway, postgres
from tests.faults import s3_proxy
from tests.unit.agents.backup.making import FakeKeys


def settings(server: str = "unused:1", **changed: Any) -> Backup:
    """Return the section `backup` as the reference has it, for one server."""
    return replace(
        Backup(
            enabled=True,
            transit_mount="transit",
            transit_key="flowrex-backup",
            tables=None,
            scratch_dir=None,
            drill_limit=Duration("10m"),
            postgres=Postgres(
                servers=(server,),
                database="flowrex",
                sslmode="prefer",
                ca_file=None,
                bin_dir=None,
                login_mount="database",
                max_lag=Duration("5m"),
                lock_timeout=Duration("2s"),
            ),
            schedule=Schedules(
                zone="UTC",
                jitter=Duration("0"),
                backup="15 2 * * *",
                drill="45 3 * * 0",
                prune="30 4 * * *",
            ),
            retention=Retention(
                daily_days=30,
                weekly_weeks=12,
                monthly_months=12,
                lock_days=0,
                lock_mode="GOVERNANCE",
                local_dir=None,
                local_keep=3,
            ),
        ),
        **changed,
    )


@dataclass
class OwnLogins:
    """Gives the test's own login, where Vault would."""

    access: Access

    @contextmanager
    def read(self) -> Iterator[Access]:
        yield self.access

    restore = read


@dataclass
class World:
    """Everything at hand.

    Attributes:
        postgres: the database.
        proxy: between the agent and the gateway.
        books: the catalog, through the proxy.
        straight: the catalog, past the proxy.
        keys: where data keys come from.
        scratch: where drills restore.
    """

    postgres: postgres.Postgres
    proxy: s3_proxy.Proxy
    books: Catalog
    straight: Catalog
    keys: FakeKeys
    scratch: Path

    @property
    def source(self) -> Source:
        server = f"{self.postgres.server.host}:{self.postgres.server.port}"
        return Source(
            settings(server),
            "dev",
            "node-1",
            self.books,
            self.keys,
            OwnLogins(self.postgres.access),  # type: ignore[arg-type]
        )

    def take(self, reason: str = "manual", **given: Any) -> Manifest:
        return take.take(self.source, reason, **given)

    def reader(self, catalog: Catalog | None = None) -> Reader:
        return Reader(catalog or self.books, self.keys, self.postgres.access)

    def verify(self, name: str) -> Any:
        return verify.verify(self.reader(), name, by="test", now=self.source.now)

    def drill(self, name: str) -> Any:
        return drill.drill(
            self.reader(self.straight), name, self.scratch, by="test", now=self.source.now,
            limit_s=120,
        )  # fmt: skip

    def every_listed_backup_restores(self) -> int:
        """Restore all that is listed, whatever happened before; return how many there are."""
        listed = self.straight.list().backups
        for backup in listed:
            assert backup.manifest, backup.problem
            self.drill(backup.name)
        return len(listed)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gateway.running(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture(scope="session")
def database() -> Iterator[postgres.Postgres]:
    with postgres.running() as running:
        running.fill(2000)
        yield running


@pytest.fixture
def world(
    store: str, database: postgres.Postgres, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[World]:
    """One fault's world: the servers are shared, the bucket is its own."""
    import hashlib

    bucket = f"case-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]}"
    straight = gateway.client(store)
    straight.ensure_bucket(bucket, object_lock=True)
    with s3_proxy.running(store) as proxy:
        through = gateway.client(proxy.address, timeout_s=2)
        yield World(
            database,
            proxy,
            Catalog(lambda: through, bucket, "flowrex"),
            Catalog(lambda: straight, bucket, "flowrex"),
            FakeKeys(),
            database.folder / "drills",
        )
