"""What an object store keeps, and what it says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from flowrex.errors import ServerRefused

# Under governance somebody with a special right may still delete; under compliance nobody may.
Mode = Literal["GOVERNANCE", "COMPLIANCE"]

# The name under which each object carries its own checksum, beside the one that the store keeps.
SHA256 = "sha256"


class ObjectExists(ServerRefused):
    """An object of that name is there already, with other content."""


class WrongChecksum(ServerRefused):
    """What came or was kept is not what was sent."""


@dataclass(frozen=True)
class ObjectHead:
    """What the store says about one object.

    Attributes:
        size: its length in bytes.
        sha256: the checksum that was recorded with it, in hex; None where there was none.
        etag: the store's own tag.
        metadata: what was put with it, by lower-case name.
        version_id: which of the name's versions it is; None in a bucket without versions.
        retain_until: until when it can't be deleted; None where it can.
    """

    size: int
    sha256: str | None
    etag: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    version_id: str | None = None
    retain_until: datetime | None = None


@dataclass(frozen=True)
class ObjectEntry:
    """One line of a list of objects: its name, its size in bytes, when it was written."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class ObjectVersion:
    """One of the versions under a name.

    Attributes:
        key: the name.
        version_id: which one.
        size: in bytes; 0 for a deletion.
        modified: when it was written.
        latest: whether it is what the name means now.
        deletion: whether it is the mark of a deletion and no object.
    """

    key: str
    version_id: str
    size: int
    modified: datetime
    latest: bool
    deletion: bool


@dataclass(frozen=True)
class Part:
    """One part of an upload: its number from 1, its size in bytes, and what the store calls it."""

    number: int
    size: int
    etag: str
    sha256: str


@dataclass(frozen=True)
class OpenUpload:
    """An upload in parts that was begun and not ended: the object's name, its own, since when."""

    key: str
    id: str
    begun: datetime
