"""A backup's manifest: written once, after everything that it names is there."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from agents.backup.contents import State
from agents.backup.datakey import WrappedKey
from flowrex.errors import FlowrexError

FORMAT = 1


class ManifestBroken(FlowrexError):
    """A manifest can't be used, and so its backup can't."""

    exit_status = 6


@dataclass(frozen=True)
class StoredFile:
    """One object of a backup.

    Attributes:
        name: what it is: `database`, `globals`, …; it was sealed for this place.
        key: the object's name.
        plain_sha256: checksum of what went in, in hex.
        plain_size: bytes of what went in.
        stored_sha256: checksum of the object, in hex.
        stored_size: bytes of the object.
        compression: `zstd`, or `none`.
    """

    name: str
    key: str
    plain_sha256: str
    plain_size: int
    stored_sha256: str
    stored_size: int
    compression: str


@dataclass(frozen=True)
class Manifest:
    """What is known of one backup.

    Attributes:
        kind: how it was made: `logical`, …
        name: its own.
        database: of what.
        environment: of which environment.
        node: whose agent made it.
        reason: what for.
        started_at: when it was begun.
        snapshot_at: the moment whose data it has.
        completed_at: when the last byte was stored.
        files: its objects.
        key: the data key, wrapped.
        server_version: of the server that it is from.
        source: which server, and whether it was a replica.
        schema_revision: the migrations' revision in the snapshot; empty where there is none.
        rows: how many rows chosen tables have in the snapshot, by `schema.table`.
        newest: the greatest time in chosen columns in the snapshot, by `schema.table.column`.
        tools: versions of what made it, by name.
        details: what only this kind has.
        mac: HMAC-SHA256 of all the rest, keyed by the data key.
    """

    kind: str
    name: str
    database: str
    environment: str
    node: str
    reason: str
    started_at: datetime
    snapshot_at: datetime
    completed_at: datetime
    files: tuple[StoredFile, ...]
    key: WrappedKey
    server_version: str = ""
    source: str = ""
    schema_revision: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    newest: Mapping[str, str] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    mac: str = ""

    @property
    def stored_size(self) -> int:
        """Bytes of all its objects."""
        return sum(one.stored_size for one in self.files)

    @property
    def state(self) -> State:
        """What the database has to be like after a restore."""
        return State(self.rows, self.schema_revision)

    def file(self, name: str) -> StoredFile:
        """Return one of its files.

        Raises:
            ManifestBroken: it has none of that name.
        """
        for one in self.files:
            if one.name == name:
                return one
        raise ManifestBroken(f"the backup {self.name} has no file {name!r}")

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"format": FORMAT, **json.loads(json.dumps(asdict(self), default=_iso))}

    def encode(self) -> bytes:
        """Return the object's content."""
        return json.dumps(self.document(), indent=1, sort_keys=True).encode() + b"\n"


def signed(manifest: Manifest, key: bytes) -> Manifest:
    """Return the manifest with the mark that only who has the data key can make."""
    return replace(manifest, mac=_mac(manifest, key))


def check(manifest: Manifest, key: bytes) -> None:
    """Insist on that mark.

    Raises:
        ManifestBroken: somebody without the key wrote or changed it.
    """
    if not hmac.compare_digest(manifest.mac, _mac(manifest, key)):
        raise ManifestBroken(f"the manifest of {manifest.name} was changed after it was written")


def _mac(manifest: Manifest, key: bytes) -> str:
    text = json.dumps(replace(manifest, mac="").document(), sort_keys=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def parse(content: bytes, where: str) -> Manifest:
    """Read a manifest.

    Args:
        content: the object's.
        where: its name, for the message.

    Raises:
        ManifestBroken: it is none, or a newer one than this agent knows.
    """
    try:
        document = json.loads(content)
        if document.pop("format") != FORMAT:
            raise ManifestBroken(f"{where} is of a format that this agent does not know")
        for name in ("started_at", "snapshot_at", "completed_at"):
            document[name] = datetime.fromisoformat(document[name])
            if document[name].tzinfo is None:
                raise ManifestBroken(f"{where}: {name} has no time zone")
        document["files"] = tuple(StoredFile(**each) for each in document["files"])
        document["key"] = WrappedKey(**document["key"])
        manifest = Manifest(**document)
        sizes = [one.stored_size + one.plain_size for one in manifest.files]
        counts = list(manifest.rows.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestBroken(
            f"{where} is no manifest: {type(error).__name__}: {error}",
            hint="What it names can't be restored by this agent; keep it, and look at it by hand.",
        ) from error
    if not manifest.files or not all(isinstance(one, int) for one in [*sizes, *counts]):
        raise ManifestBroken(f"{where} is no manifest: it has no files, or a number that is none")
    return manifest


def _iso(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
