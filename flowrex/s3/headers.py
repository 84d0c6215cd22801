"""What travels in an object's headers: its metadata, its checksum, its retention."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from flowrex.errors import ServerRefused
from flowrex.s3 import answers
from flowrex.s3.model import SHA256, Mode, ObjectHead
from flowrex.s3.transport import Transport

META = "x-amz-meta-"
NOTHING: Mapping[str, str] = MappingProxyType({})
_ABSENT = (404, "NoSuchKey", "NotFound")


def head_of(transport: Transport, url: str) -> ObjectHead | None:
    """Return what the store knows about the object at an address, or None."""
    answer = transport.send(f"look for {url}", "HEAD", url, accept=_ABSENT)
    if answer.code:
        return None
    headers = answer.headers
    metadata = {
        name.removeprefix(META): value for name, value in headers.items() if name.startswith(META)
    }
    until = headers.get("x-amz-object-lock-retain-until-date")
    length = headers.get("content-length", "")
    if not length.isdigit():
        raise ServerRefused(f"can't look for {url}: the store does not say how long it is")
    return ObjectHead(
        size=int(length),
        sha256=metadata.get(SHA256),
        etag=headers.get("etag", ""),
        metadata=metadata,
        version_id=headers.get("x-amz-version-id"),
        retain_until=answers.timestamp(until) if until else None,
    )


def kept(metadata: Mapping[str, str], retain_until: datetime | None, mode: Mode) -> dict[str, str]:
    """Return the headers that put metadata and a retention with an object."""
    headers = {f"{META}{name}": value for name, value in metadata.items()}
    if retain_until is not None:
        headers["x-amz-object-lock-mode"] = mode
        headers["x-amz-object-lock-retain-until-date"] = retain_until.astimezone(UTC).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )
    return headers
