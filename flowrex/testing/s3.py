"""An object store in memory, held to the same cases as the real one by tests/contract."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from flowrex.errors import NotFound, PermissionRefused, ServerRefused
from flowrex.s3 import (
    Mode,
    ObjectEntry,
    ObjectExists,
    ObjectHead,
    ObjectVersion,
    OpenUpload,
    Part,
    WrongChecksum,
)


@dataclass
class _Kept:
    content: bytes
    head: ObjectHead
    modified: datetime
    deletion: bool = False


@dataclass
class _Bucket:
    locks: bool
    versions: dict[str, list[_Kept]] = field(default_factory=dict)
    uploads: list[FakeMultipart] = field(default_factory=list)

    def latest(self, key: str) -> _Kept | None:
        found = self.versions.get(key)
        return found[-1] if found and not found[-1].deletion else None


class FakeS3:
    """What `S3Client` does, without a server.

    Attributes:
        buckets: what was made, by name.
        now: the store's clock, which retention is judged by.
    """

    endpoint = "memory:"

    def __init__(self) -> None:
        self.buckets: dict[str, _Bucket] = {}
        self.now = datetime.now(UTC)
        self._number = 0

    def contents(self, bucket: str) -> dict[str, bytes]:
        """Return each object's content by name, for a test to look at."""
        held = self.buckets[bucket]
        return {key: kept.content for key in held.versions if (kept := held.latest(key))}

    def corrupt(self, bucket: str, key: str, content: bytes) -> None:
        """Put other bytes in an object's place, as a failing disk does, for a test."""
        held = self.buckets[bucket].versions.setdefault(key, [])
        head = ObjectHead(len(content), hashlib.sha256(content).hexdigest(), '"other"')
        held.append(_Kept(content, head, self.now))

    def list_buckets(self) -> tuple[str, ...]:
        """Return the buckets' names, sorted."""
        return tuple(sorted(self.buckets))

    def ensure_bucket(self, name: str, *, object_lock: bool = False) -> bool:
        """Make the bucket unless it is there; tell whether it was made now."""
        if name in self.buckets:
            return False
        self.buckets[name] = _Bucket(object_lock)
        return True

    def head(self, bucket: str, key: str) -> ObjectHead | None:
        """Return what is known about an object, or None."""
        held = self.buckets.get(bucket)
        kept = held.latest(key) if held else None
        return kept.head if kept else None

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes,
        *,
        sha256: str = "",
        if_absent: bool = True,
        metadata: Mapping[str, str] | None = None,
        retain_until: datetime | None = None,
        mode: Mode = "GOVERNANCE",
        content_type: str = "application/octet-stream",
    ) -> bool:
        """Keep an object; tell whether it was new."""
        actual = hashlib.sha256(body).hexdigest()
        digest = sha256 or actual
        held = self._bucket(bucket)
        present = held.latest(key)
        if if_absent and present is not None:
            if present.head.sha256 == digest:
                return False
            raise ObjectExists(f"{key} exists already, with other content")
        if actual != digest:
            raise WrongChecksum("the checksum does not fit the content")
        self._keep(held, key, body, digest, metadata or {}, retain_until)
        return True

    def put_file(
        self, bucket: str, key: str, path: Path, *, sha256: str, if_absent: bool = True
    ) -> bool:
        """Keep a file's content; tell whether it was new."""
        return self.put(bucket, key, path.read_bytes(), sha256=sha256, if_absent=if_absent)

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object's content."""
        with self.stream(bucket, key) as pieces:
            return b"".join(pieces)

    @contextmanager
    def stream(self, bucket: str, key: str, *, chunk: int = 1 << 20) -> Iterator[Iterator[bytes]]:
        """Give an object's content in pieces."""
        kept = self._bucket(bucket).latest(key)

        def pieces() -> Iterator[bytes]:
            if kept is None:
                raise NotFound(f"there is no object {key}")
            for start in range(0, len(kept.content), chunk):
                yield kept.content[start : start + chunk]

        yield pieces()

    def multipart(
        self,
        bucket: str,
        key: str,
        *,
        if_absent: bool = True,
        metadata: Mapping[str, str] | None = None,
        retain_until: datetime | None = None,
        mode: Mode = "GOVERNANCE",
    ) -> FakeMultipart:
        """Begin an upload in parts."""
        held = self._bucket(bucket)
        begun = FakeMultipart(self, bucket, key, if_absent, metadata or {}, retain_until)
        held.uploads.append(begun)
        return begun

    def open_uploads(self, bucket: str, prefix: str = "") -> Iterator[OpenUpload]:
        """Yield the uploads that were begun and not ended."""
        for upload in list(self._bucket(bucket).uploads):
            if upload.key.startswith(prefix):
                yield OpenUpload(upload.key, upload.id, upload.begun)

    def abort_upload(self, bucket: str, upload: OpenUpload) -> None:
        """Give an upload's parts up."""
        for one in list(self._bucket(bucket).uploads):
            if one.id == upload.id:
                one.abort()

    def delete(self, bucket: str, key: str, version_id: str | None = None) -> None:
        """Delete an object, or one of its versions for good."""
        held = self._bucket(bucket)
        found = held.versions.get(key, [])
        if version_id is None:
            if not held.locks:
                held.versions.pop(key, None)
            elif held.latest(key):
                self._number += 1
                mark = ObjectHead(0, None, "", version_id=str(self._number))
                found.append(_Kept(b"", mark, self.now, deletion=True))
            return
        for kept in found:
            until = kept.head.retain_until
            if kept.head.version_id == version_id and until is not None and until > self.now:
                raise PermissionRefused(f"{key} is locked until {until.isoformat()}")
        left = [kept for kept in found if kept.head.version_id != version_id]
        held.versions[key] = left
        if not left:
            del held.versions[key]

    def list(
        self, bucket: str, prefix: str = "", *, start_after: str = ""
    ) -> Iterator[ObjectEntry]:
        """Yield the objects whose names begin so, sorted."""
        held = self._bucket(bucket)
        for key in sorted(held.versions):
            kept = held.latest(key)
            if kept and key.startswith(prefix) and key > start_after:
                yield ObjectEntry(key, kept.head.size, kept.modified)

    def versions(self, bucket: str, prefix: str = "") -> Iterator[ObjectVersion]:
        """Yield all versions, deletions among them, newest first for each name."""
        held = self._bucket(bucket)
        for key in sorted(held.versions):
            if not key.startswith(prefix):
                continue
            for age, kept in enumerate(reversed(held.versions[key])):
                yield ObjectVersion(
                    key,
                    kept.head.version_id or "null",
                    kept.head.size,
                    kept.modified,
                    latest=age == 0,
                    deletion=kept.deletion,
                )

    def url(self, bucket: str, key: str) -> str:
        """Return an object's address."""
        return f"memory://{bucket}/{key}"

    def _bucket(self, name: str) -> _Bucket:
        if name not in self.buckets:
            raise NotFound(f"there is no bucket {name}")
        return self.buckets[name]

    def _keep(
        self,
        held: _Bucket,
        key: str,
        content: bytes,
        digest: str | None,
        metadata: Mapping[str, str],
        retain_until: datetime | None,
    ) -> None:
        if retain_until is not None and not held.locks:
            raise ServerRefused("the bucket was not made for retention")
        self._number += 1
        whole: dict[str, Any] = dict(metadata)
        if digest is not None:
            whole["sha256"] = digest
        tag = hashlib.sha256(content).hexdigest()[:32]
        head = ObjectHead(
            len(content),
            whole.get("sha256"),
            f'"{tag}"',
            whole,
            str(self._number) if held.locks else None,
            retain_until.replace(microsecond=0) if retain_until else None,
        )
        kept = _Kept(content, head, self.now)
        if held.locks:
            held.versions.setdefault(key, []).append(kept)
        else:
            held.versions[key] = [kept]


class FakeMultipart:
    """One upload in parts."""

    def __init__(
        self,
        store: FakeS3,
        bucket: str,
        key: str,
        if_absent: bool,
        metadata: Mapping[str, str],
        retain_until: datetime | None,
    ) -> None:
        self._store, self._bucket, self.key = store, bucket, key
        self.begun = store.now
        self._if_absent, self._metadata, self._until = if_absent, metadata, retain_until
        self._parts: dict[int, bytes] | None = {}
        self.id = uuid4().hex

    def upload(self, number: int, body: bytes) -> Part:
        """Keep one part."""
        if self._parts is None:
            raise NotFound("there is no such upload")
        self._parts[number] = body
        digest = hashlib.sha256(body).hexdigest()
        return Part(number, len(body), f'"{digest[:32]}"', digest)

    def complete(self, parts: Sequence[Part]) -> None:
        """Make the object of the parts."""
        if self._parts is None:
            raise NotFound("there is no such upload")
        held = self._store.buckets[self._bucket]
        if self._if_absent and held.latest(self.key):
            raise ObjectExists(f"{self.key} exists already")
        kept = self._parts
        if not parts or any(
            hashlib.sha256(kept.get(part.number, b"")).hexdigest() != part.sha256 for part in parts
        ):
            raise ServerRefused("a part is not what was uploaded")
        content = b"".join(kept[part.number] for part in sorted(parts, key=lambda one: one.number))
        self._store._keep(held, self.key, content, None, self._metadata, self._until)
        self.abort()

    def abort(self) -> None:
        """Give the parts up."""
        self._parts = None
        begun = self._store.buckets[self._bucket].uploads
        if self in begun:
            begun.remove(self)
