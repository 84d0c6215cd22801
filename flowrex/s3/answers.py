"""What the store answers, read strictly: an answer that can't be right is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote
from xml.etree import ElementTree

from flowrex.errors import (
    FlowrexError,
    NotFound,
    PermissionRefused,
    ServerRefused,
)
from flowrex.s3.model import ObjectEntry, ObjectVersion, OpenUpload, WrongChecksum

_DENIED = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled"}
)
_ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NotFound"})
_CHECKSUM = frozenset({"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"})
_NAMESPACE = re.compile(r"^\{[^}]*\}")


@dataclass(frozen=True)
class Answer:
    """A whole answer: the status, the headers by lower-case name, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The store's word for what is wrong, "" where nothing is.

        A store may begin an answer with 200 before it knows the end, so the body has the last word.
        """
        if self.status < 300 and b"<Error" not in self.body[:512]:
            return ""
        root = _element(self.body)
        found = "" if root is None or _name(root) != "Error" else _text(root, "Code")
        return found or ("" if self.status < 300 else str(self.status))

    @property
    def reason(self) -> str:
        """The store's own words for what is wrong."""
        root = _element(self.body)
        return ("" if root is None else _text(root, "Message")) or self.code


def refusal(answer: Answer, action: str, endpoint: str) -> FlowrexError:
    """Return the error that an answer means.

    Args:
        answer: with a status or a body that says no.
        action: what was asked, as it follows "can't".
        endpoint: the store's address.
    """
    code, reason = answer.code, answer.reason
    if code in _DENIED or answer.status == 403:
        return PermissionRefused(
            f"the S3 store at {endpoint} refuses to {action}: {reason}",
            hint="Check the access key: it must be one that may do this.",
        )
    if code in _ABSENT or answer.status == 404:
        return NotFound(f"the S3 store at {endpoint} can't {action}: {reason}")
    if code in _CHECKSUM:
        return WrongChecksum(
            f"the S3 store at {endpoint} can't {action}: what arrived is not what was sent "
            f"({code}: {reason})"
        )
    return ServerRefused(f"the S3 store at {endpoint} can't {action}: {code}: {reason}")


def document(answer: Answer, name: str, action: str, endpoint: str) -> ElementTree.Element:
    """Return an answer's XML document.

    Args:
        answer: a good one.
        name: the name that its outermost element must have.
        action: what was asked, for the message.
        endpoint: the store's address, for the message.

    Raises:
        ServerRefused: it is no such document.
    """
    root = _element(answer.body)
    if root is None or _name(root) != name:
        shown = answer.body[:80].decode(errors="replace")
        raise ServerRefused(
            f"the S3 store at {endpoint} can't {action}: it answers HTTP {answer.status} with "
            f"{shown!r} and not with {name}",
            hint="Is that address one of an S3 store?",
        )
    return root


def text(root: ElementTree.Element, name: str) -> str:
    """Return the text of the first child of that name, "" where there is none."""
    return _text(root, name)


def bucket_names(root: ElementTree.Element) -> Iterator[str]:
    """Yield the names in a list of buckets."""
    for group in _children(root, "Buckets"):
        for bucket in _children(group, "Bucket"):
            yield _text(bucket, "Name")


def entries(root: ElementTree.Element) -> Iterator[ObjectEntry]:
    """Yield the objects of one page of a list."""
    decode = _decoder(root)
    for entry in _children(root, "Contents"):
        yield ObjectEntry(
            decode(_text(entry, "Key")), _size(entry), timestamp(_text(entry, "LastModified"))
        )


def versions(root: ElementTree.Element) -> Iterator[ObjectVersion]:
    """Yield the versions, deletions among them, of one page of a list."""
    decode = _decoder(root)
    for entry in root:
        if _name(entry) not in {"Version", "DeleteMarker"}:
            continue
        yield ObjectVersion(
            decode(_text(entry, "Key")),
            _text(entry, "VersionId"),
            _size(entry),
            timestamp(_text(entry, "LastModified")),
            latest=_text(entry, "IsLatest") == "true",
            deletion=_name(entry) == "DeleteMarker",
        )


def uploads(root: ElementTree.Element) -> Iterator[OpenUpload]:
    """Yield the uploads of one page of a list of those that have not ended."""
    decode = _decoder(root)
    for entry in _children(root, "Upload"):
        begun = timestamp(_text(entry, "Initiated"))
        yield OpenUpload(decode(_text(entry, "Key")), _text(entry, "UploadId"), begun)


def timestamp(written: str) -> datetime:
    """Return a time as stores write it.

    Raises:
        ServerRefused: it is none.
    """
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise ServerRefused(f"the S3 store answers {written!r} where a time belongs") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _size(entry: ElementTree.Element) -> int:
    written = _text(entry, "Size") or "0"
    if not written.isdigit():
        raise ServerRefused(f"the S3 store answers {written!r} where a size belongs")
    return int(written)


def _decoder(root: ElementTree.Element) -> Callable[[str], str]:
    return unquote if _text(root, "EncodingType") == "url" else str


def _element(body: bytes) -> ElementTree.Element | None:
    # A document type could define entities that grow without bound; no store sends one.
    if not body.strip() or b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return None
    try:
        # Its size is bounded where it was read, and it defines no entities.
        return ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:
        return None


def _name(element: ElementTree.Element) -> str:
    return _NAMESPACE.sub("", element.tag)


def _children(root: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (child for child in root if _name(child) == name)


def _text(root: ElementTree.Element, name: str) -> str:
    return next((child.text or "" for child in _children(root, name)), "")
