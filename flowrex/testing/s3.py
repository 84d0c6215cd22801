"""An object store in memory, held to the same cases as the real one by tests/contract."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flowrex.errors import NotFound, ServerRefused
from flowrex.s3 import ObjectExists, ObjectHead


class FakeS3:
    """What `S3Client` does with buckets and files, without a server."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, bytes]] = {}

    def list_buckets(self) -> tuple[str, ...]:
        """Return the buckets' names, sorted."""
        return tuple(sorted(self.buckets))

    def ensure_bucket(self, name: str, *, object_lock: bool = False) -> bool:
        """Make the bucket unless it is there; tell whether it was made now."""
        if name in self.buckets:
            return False
        self.buckets[name] = {}
        return True

    def head(self, bucket: str, key: str) -> ObjectHead | None:
        """Return what is known about an object, or None."""
        content = self.buckets.get(bucket, {}).get(key)
        if content is None:
            return None
        digest = hashlib.sha256(content).hexdigest()
        return ObjectHead(len(content), digest, f'"{digest[:32]}"')

    def put_file(
        self, bucket: str, key: str, path: Path, *, sha256: str, if_absent: bool = True
    ) -> bool:
        """Keep a file's content; tell whether it was new."""
        if bucket not in self.buckets:
            raise NotFound(f"there is no bucket {bucket}")
        content = path.read_bytes()
        present = self.head(bucket, key)
        if if_absent and present is not None:
            if present.sha256 == sha256:
                return False
            raise ObjectExists(f"{key} exists already, with other content")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ServerRefused("the checksum does not fit the content")
        self.buckets[bucket][key] = content
        return True

    def url(self, bucket: str, key: str) -> str:
        """Return an object's address."""
        return f"memory://{bucket}/{key}"
