"""Backups for tests, without a database."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta

from agents.backup.catalog import Catalog
from agents.backup.datakey import DataKey, WrappedKey
from agents.backup.manifest import Manifest, StoredFile, signed
from agents.backup.names import backup_name
from flowrex.errors import ServerUnreachable
from flowrex.s3 import S3Client
from flowrex.testing.s3 import FakeS3

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = bytes(range(32))


class FakeKeys:
    """A key ring with one key. Set `sealed` for a Vault that gives none."""

    sealed = False

    def new(self) -> DataKey:
        return self.unwrap(WrappedKey("transit/flowrex-backup", "vault:v1:wrapped"))

    def unwrap(self, wrapped: WrappedKey) -> DataKey:
        if self.sealed:
            raise ServerUnreachable("Vault is sealed")
        return DataKey(b64encode(KEY).decode(), wrapped)


def catalog(s3: FakeS3 | None = None) -> tuple[Catalog, FakeS3]:
    store = s3 or FakeS3()
    store.ensure_bucket("backups", object_lock=True)
    return Catalog(lambda: store, "backups", "flowrex"), store  # type: ignore[arg-type,return-value]


def manifest(at: datetime = NOON, *, reason: str = "scheduled", size: int = 7) -> Manifest:
    name = backup_name(reason, at)
    file = StoredFile(
        "database", f"logical/flowrex/{name}/database", "0" * 64, 70, "1" * 64, size, "zstd"
    )
    return signed(
        Manifest(
            kind="logical",
            name=name,
            database="flowrex",
            environment="dev",
            node="node-1",
            reason=reason,
            started_at=at,
            snapshot_at=at,
            completed_at=at + timedelta(minutes=1),
            files=(file,),
            key=WrappedKey("transit/flowrex-backup", "vault:v1:wrapped"),
            server_version="15.8",
            schema_revision="0001",
            rows={"public.orders": 3},
        ),
        KEY,
    )


def write(
    catalog: Catalog,
    s3: FakeS3 | S3Client,
    at: datetime = NOON,
    *,
    reason: str = "scheduled",
    bucket: str = "backups",
) -> str:
    """Put a backup into the catalog as the agent does: its object first."""
    one = manifest(at, reason=reason)
    s3.put(bucket, one.files[0].key, b"content")
    catalog.write(one)
    return one.name
