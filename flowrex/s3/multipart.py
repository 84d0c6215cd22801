"""An object that is uploaded in parts, and is there whole or not at all."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from uuid import uuid4
from xml.sax.saxutils import escape

from flowrex.errors import ServerRefused, ServerUnreachable
from flowrex.s3.answers import document, text
from flowrex.s3.headers import META, head_of
from flowrex.s3.model import ObjectExists, Part, WrongChecksum
from flowrex.s3.transport import Transport

# What an object carries to be known again as this upload's, when the last answer was lost.
MARK = "upload"
# As many as S3 allows.
MOST_PARTS = 10_000


class Multipart:
    """One upload. Its parts may be sent by several threads, in any order."""

    def __init__(
        self,
        transport: Transport,
        bucket: str,
        key: str,
        *,
        if_absent: bool,
        headers: Mapping[str, str],
    ) -> None:
        """Begin the upload; call `complete` or `abort` in the end.

        Args:
            transport: the store.
            bucket: the bucket.
            key: the object's name.
            if_absent: refuse in the end where an object has that name.
            headers: metadata and retention.
        """
        self._transport = transport
        self._url = transport.url(bucket, key)
        self._if_absent = if_absent
        self._mark = uuid4().hex
        action = f"begin the upload of {self._url}"
        answer = transport.send(
            action,
            "POST",
            self._url,
            query={"uploads": ""},
            headers={
                **headers,
                f"{META}{MARK}": self._mark,
                "x-amz-checksum-algorithm": "SHA256",
            },
            # Sent twice, it could leave an upload behind that nobody knows of.
            repeatable=False,
        )
        self.id = text(
            document(answer, "InitiateMultipartUploadResult", action, transport.endpoint),
            "UploadId",
        )
        if not self.id:
            raise ServerRefused(f"can't {action}: the store gives the upload no name")

    def upload(self, number: int, body: bytes) -> Part:
        """Send one part; the store checks its checksum.

        Args:
            number: from 1 to 10,000. All but the last must have 5 MiB at least.
            body: its bytes.

        Raises:
            WrongChecksum: other bytes arrived.
        """
        raw = hashlib.sha256(body)
        digest = b64encode(raw.digest()).decode()
        action = f"upload part {number} of {self._url}"
        answer = self._transport.send(
            action,
            "PUT",
            self._url,
            query={"partNumber": str(number), "uploadId": self.id},
            headers={"x-amz-checksum-sha256": digest},
            body=body,
            sha256=raw.hexdigest(),
        )
        _must_match(answer.headers, digest, action)
        tag = answer.headers.get("etag", "")
        if not tag:
            raise ServerRefused(f"can't {action}: the store answers without an ETag")
        return Part(number, len(body), tag, digest)

    def complete(self, parts: Sequence[Part]) -> None:
        """Make the object of the parts, in the order of their numbers.

        Raises:
            ObjectExists: there is one of that name, and `if_absent` was asked for.
            ServerUnreachable: it is not known whether the object is there.
            ServerRefused: it is not.
        """
        action = f"complete the upload of {self._url}"
        ordered = sorted(parts, key=lambda part: part.number)
        body = "".join(
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(part.etag)}</ETag>"
            f"<ChecksumSHA256>{part.sha256}</ChecksumSHA256></Part>"
            for part in ordered
        )
        try:
            answer = self._transport.send(
                action,
                "POST",
                self._url,
                query={"uploadId": self.id},
                headers={"if-none-match": "*"} if self._if_absent else {},
                body=f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode(),
                # A second time there is no such upload any more; `_is_there` finds out instead.
                repeatable=False,
                accept=(412, "PreconditionFailed"),
            )
        except ServerRefused:
            raise
        except ServerUnreachable:
            if not self._is_there(ordered):
                raise
            return
        if answer.code:
            raise ObjectExists(f"{self._url} exists already")
        document(answer, "CompleteMultipartUploadResult", action, self._transport.endpoint)
        if not self._is_there(ordered):
            raise ServerRefused(f"can't {action}: the store says it is done, and it is not there")

    def abort(self) -> None:
        """Give the parts up; fine where they are gone already."""
        abort(self._transport, self._url, self.id)

    def _is_there(self, parts: Sequence[Part]) -> bool:
        found = head_of(self._transport, self._url)
        return (
            found is not None
            and found.metadata.get(MARK) == self._mark
            and found.size == sum(part.size for part in parts)
        )


def abort(transport: Transport, url: str, upload_id: str) -> None:
    """Give the parts of an upload up; fine where they are gone already."""
    transport.send(
        f"abort the upload of {url}",
        "DELETE",
        url,
        query={"uploadId": upload_id},
        accept=(404, "NoSuchUpload"),
    )


def _must_match(headers: Mapping[str, str], digest: str, action: str) -> None:
    said = headers.get("x-amz-checksum-sha256", digest)
    if b64decode(said) != b64decode(digest):
        raise WrongChecksum(f"can't {action}: the store kept SHA-256 {said} instead of {digest}")
