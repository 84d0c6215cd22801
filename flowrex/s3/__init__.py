"""An S3-compatible object store, with the errors and the write-once rule that Flowrex needs.

`client` has the calls, `multipart` an upload in parts, `download` reading, `transport` signs and
sends, `answers` reads what the store says. Only this package imports botocore, and of it only the
signature: decision 5 in docs/adr says why.
"""

from __future__ import annotations

from flowrex.s3.buckets import public_read_policy
from flowrex.s3.client import S3Client
from flowrex.s3.model import (
    Mode,
    ObjectEntry,
    ObjectExists,
    ObjectHead,
    ObjectVersion,
    OpenUpload,
    Part,
    WrongChecksum,
)
from flowrex.s3.multipart import Multipart

__all__ = [
    "S3Client",
    "Multipart",
    "Part",
    "ObjectHead",
    "ObjectEntry",
    "ObjectVersion",
    "OpenUpload",
    "Mode",
    "ObjectExists",
    "WrongChecksum",
    "public_read_policy",
]
