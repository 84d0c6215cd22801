"""The calls that Flowrex makes about objects."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

from flowrex.errors import ServerRefused
from flowrex.s3 import answers, download, multipart
from flowrex.s3.buckets import BucketCalls
from flowrex.s3.headers import META, NOTHING, head_of, kept
from flowrex.s3.model import (
    SHA256,
    Mode,
    ObjectEntry,
    ObjectExists,
    ObjectHead,
    ObjectVersion,
    OpenUpload,
    WrongChecksum,
)
from flowrex.s3.multipart import Multipart
from flowrex.s3.transport import Transport
from flowrex.secret import Secret

_GONE = (404, "NoSuchKey", "NoSuchVersion", "NotFound")
_EXISTS = (412, "PreconditionFailed")


class S3Client(BucketCalls):
    """One store, each call raising the errors of `flowrex.errors`. Threads may share it."""

    def __init__(
        self,
        endpoint: str,
        region: str,
        access_key: Secret,
        secret_key: Secret,
        *,
        timeout_s: float = 30,
        ca_file: Path | None = None,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            endpoint: the store's URL, `http://127.0.0.1:7070` or `https://s3.eu-central-1…`.
            region: the region that requests are signed for.
            access_key: the key's public half.
            secret_key: its secret half.
            timeout_s: seconds to wait for a connection, and for each answer.
            ca_file: the certificates that the store's is checked by; None: the system's.

        Raises:
            ConfigurationError: the endpoint is no URL.
        """
        self._transport = Transport(
            endpoint, region, access_key, secret_key, timeout_s=timeout_s, ca_file=ca_file
        )

    def url(self, bucket: str, key: str) -> str:
        """Return the address under which plain HTTP finds an object of a readable bucket."""
        return self._transport.url(bucket, key)

    def head(self, bucket: str, key: str) -> ObjectHead | None:
        """Return what the store knows about an object, or None when there is none."""
        return head_of(self._transport, self.url(bucket, key))

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes,
        *,
        sha256: str = "",
        if_absent: bool = True,
        metadata: Mapping[str, str] = NOTHING,
        retain_until: datetime | None = None,
        mode: Mode = "GOVERNANCE",
        content_type: str = "application/octet-stream",
    ) -> bool:
        """Upload an object; the store checks its checksum.

        Args:
            bucket: the bucket.
            key: the object's name.
            body: its content.
            sha256: the content's checksum in hex, where the caller has it; kept with the object.
            if_absent: never replace an object; one with the same checksum is fine.
            metadata: kept with the object: lower-case names, values in ASCII.
            retain_until: no deletion before; the bucket's own default where None.
            mode: who may still delete.
            content_type: what it is.

        Returns:
            Whether it was uploaded now; False when the same object was there already.

        Raises:
            ObjectExists: an object with other content has that name.
            WrongChecksum: other bytes arrived.
        """
        headers = {"content-type": content_type, **kept(metadata, retain_until, mode)}
        digest = sha256 or hashlib.sha256(body).hexdigest()
        return self._put(bucket, key, body, digest, if_absent, headers)

    def put_file(
        self, bucket: str, key: str, path: Path, *, sha256: str, if_absent: bool = True
    ) -> bool:
        """Upload a file; the store checks its checksum.

        Args:
            bucket: the bucket.
            key: the object's name.
            path: the file.
            sha256: the file's checksum in hex; kept with the object.
            if_absent: never replace an object; one with the same checksum is fine.

        Returns:
            Whether it was uploaded now; False when the same object was there already.

        Raises:
            ObjectExists: an object with other content has that name.
        """
        if if_absent and (present := self.head(bucket, key)) is not None:
            # A store that refuses while a long file is under way may just hang up.
            return self._same(bucket, key, present, sha256)
        return self._put(bucket, key, path, sha256, if_absent, {})

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object's whole content, checked against its recorded checksum.

        Raises:
            NotFound: there is none.
            WrongChecksum: it is not what was put.
        """
        with self.stream(bucket, key) as pieces:
            return b"".join(pieces)

    def stream(
        self, bucket: str, key: str, *, chunk: int = 1 << 20
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Give an object's content in pieces, for the length of a block.

        A connection that breaks is taken up where it was. After the last piece the length and the
        recorded checksum are checked, so what a reader does must not count before it has them all.

        Args:
            bucket: the bucket.
            key: the object's name.
            chunk: the most bytes in a piece.

        Raises:
            NotFound: there is none.
            WrongChecksum: it is not what was put.
        """
        return download.opened(self._transport, bucket, key, chunk)

    def multipart(
        self,
        bucket: str,
        key: str,
        *,
        if_absent: bool = True,
        metadata: Mapping[str, str] = NOTHING,
        retain_until: datetime | None = None,
        mode: Mode = "GOVERNANCE",
    ) -> Multipart:
        """Begin an upload in parts.

        Args:
            bucket: the bucket.
            key: the object's name.
            if_absent: refuse in the end where an object has that name.
            metadata: kept with the object: lower-case names, values in ASCII.
            retain_until: no deletion before; the bucket's own default where None.
            mode: who may still delete.
        """
        headers = kept(metadata, retain_until, mode)
        return Multipart(self._transport, bucket, key, if_absent=if_absent, headers=headers)

    def delete(self, bucket: str, key: str, version_id: str | None = None) -> None:
        """Delete an object; fine where there is none.

        Args:
            bucket: the bucket.
            key: the object's name.
            version_id: this version for good; otherwise a bucket with versions keeps them all and
                notes the deletion.

        Raises:
            PermissionRefused: it is locked, or the key may not.
        """
        url = self.url(bucket, key)
        query = {"versionId": version_id} if version_id else {}
        self._transport.send(f"delete {url}", "DELETE", url, query=query, accept=_GONE)

    def list(
        self, bucket: str, prefix: str = "", *, start_after: str = ""
    ) -> Iterator[ObjectEntry]:
        """Yield the objects whose names begin with `prefix`, sorted, page by page.

        Args:
            bucket: the bucket.
            prefix: how the names begin.
            start_after: only names that sort after this one.
        """
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        if start_after:
            query["start-after"] = start_after

        def following(root: Element) -> dict[str, str]:
            return {"continuation-token": answers.text(root, "NextContinuationToken")}

        before = start_after
        for page in self._pages(bucket, query, "ListBucketResult", following):
            for entry in answers.entries(page):
                if not entry.key.startswith(prefix) or (before and entry.key <= before):
                    raise ServerRefused(
                        f"the S3 store at {self.endpoint} lists {entry.key!r} after {before!r}, "
                        f"where names that begin with {prefix!r} belong in their order"
                    )
                before = entry.key
                yield entry

    def versions(self, bucket: str, prefix: str = "") -> Iterator[ObjectVersion]:
        """Yield all versions of the objects whose names begin with `prefix`, page by page."""
        query = {"versions": "", "prefix": prefix, "encoding-type": "url"}

        def following(root: Element) -> dict[str, str]:
            return {
                "key-marker": answers.text(root, "NextKeyMarker"),
                "version-id-marker": answers.text(root, "NextVersionIdMarker"),
            }

        for page in self._pages(bucket, query, "ListVersionsResult", following):
            yield from answers.versions(page)

    def open_uploads(self, bucket: str, prefix: str = "") -> Iterator[OpenUpload]:
        """Yield the uploads in parts that were begun and not ended, page by page."""
        query = {"uploads": "", "prefix": prefix, "encoding-type": "url"}

        def following(root: Element) -> dict[str, str]:
            return {
                "key-marker": answers.text(root, "NextKeyMarker"),
                "upload-id-marker": answers.text(root, "NextUploadIdMarker"),
            }

        for page in self._pages(bucket, query, "ListMultipartUploadsResult", following):
            yield from answers.uploads(page)

    def abort_upload(self, bucket: str, upload: OpenUpload) -> None:
        """Give an upload's parts up; fine where they are gone already."""
        multipart.abort(self._transport, self.url(bucket, upload.key), upload.id)

    def _pages(
        self,
        bucket: str,
        query: Mapping[str, str],
        name: str,
        following: Callable[[Element], dict[str, str]],
    ) -> Iterator[Element]:
        action, url = f"list the bucket {bucket}", self._transport.url(bucket)
        more: dict[str, str] = {}
        while True:
            answer = self._transport.send(action, "GET", url, query={**query, **more})
            root = answers.document(answer, name, action, self.endpoint)
            yield root
            if answers.text(root, "IsTruncated") != "true":
                return
            marks = {name: value for name, value in following(root).items() if value}
            if not marks or marks == more:
                raise ServerRefused(f"can't {action}: the store says there is more, and not where")
            more = marks

    def _put(
        self,
        bucket: str,
        key: str,
        body: bytes | Path,
        sha256: str,
        if_absent: bool,
        headers: Mapping[str, str],
    ) -> bool:
        url = self.url(bucket, key)
        checksum = b64encode(bytes.fromhex(sha256)).decode()
        answer = self._transport.send(
            f"upload {url}",
            "PUT",
            url,
            headers={
                **headers,
                f"{META}{SHA256}": sha256,
                "x-amz-checksum-sha256": checksum,
                **({"if-none-match": "*"} if if_absent else {}),
            },
            body=body,
            sha256=sha256,
            accept=_EXISTS if if_absent else (),
        )
        if answer.code:
            return self._same(bucket, key, self.head(bucket, key), sha256)
        if (said := answer.headers.get("x-amz-checksum-sha256", checksum)) != checksum:
            raise WrongChecksum(f"can't upload {url}: the store kept SHA-256 {said}")
        return True

    def _same(self, bucket: str, key: str, present: ObjectHead | None, sha256: str) -> bool:
        if present is not None and present.sha256 == sha256:
            return False
        raise ObjectExists(
            f"{self.url(bucket, key)} exists already, with other content "
            f"(SHA-256 {present.sha256 if present else 'unknown'} instead of {sha256})",
            hint="It is written once. Use another name, for a release another version.",
        )
