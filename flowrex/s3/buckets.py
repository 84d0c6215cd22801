"""The calls about whole buckets."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from xml.sax.saxutils import escape

from flowrex.s3.answers import bucket_names, document
from flowrex.s3.model import Mode
from flowrex.s3.transport import Transport

_ABSENT = (404, "NoSuchBucket")
_NOT_IMPLEMENTED = (501, "NotImplemented", "MethodNotAllowed")
_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"


class BucketCalls:
    """What `S3Client` does with buckets."""

    _transport: Transport

    @property
    def endpoint(self) -> str:
        """The store's address."""
        return self._transport.endpoint

    def list_buckets(self) -> tuple[str, ...]:
        """Return the names of the buckets that this key owns, sorted."""
        action = "list the buckets"
        answer = self._transport.send(action, "GET", self._transport.url())
        root = document(answer, "ListAllMyBucketsResult", action, self.endpoint)
        return tuple(sorted(bucket_names(root)))

    def ensure_bucket(self, name: str, *, object_lock: bool = False) -> bool:
        """Make the bucket unless it is there.

        Args:
            name: the bucket.
            object_lock: make it so that retention can be set on it; only at creation.

        Returns:
            Whether it was made now.
        """
        url = self._transport.url(name)
        found = self._transport.send(f"look for the bucket {name}", "HEAD", url, accept=_ABSENT)
        if found.status != 404:
            return False
        made = self._transport.send(
            f"make the bucket {name}",
            "PUT",
            url,
            headers={"x-amz-bucket-object-lock-enabled": "true"} if object_lock else {},
            accept=("BucketAlreadyOwnedByYou",),
        )
        return not made.code

    def put_bucket_policy(self, bucket: str, policy: Mapping[str, Any]) -> None:
        """Set the bucket's policy.

        Args:
            bucket: the bucket.
            policy: the policy document, see `public_read_policy`.
        """
        body = json.dumps(policy, sort_keys=True).encode()
        self._configure(bucket, "policy", body, "set the policy of")

    def set_default_retention(self, bucket: str, days: int, mode: Mode) -> None:
        """Lock every new object of a bucket made with `object_lock` for `days` days."""
        body = (
            f'<ObjectLockConfiguration xmlns="{_XMLNS}"><ObjectLockEnabled>Enabled'
            f"</ObjectLockEnabled><Rule><DefaultRetention><Mode>{escape(mode)}</Mode>"
            f"<Days>{days:d}</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
        )
        self._configure(bucket, "object-lock", body.encode(), "set the retention of")

    def set_lifecycle(self, bucket: str, *, expire_days: int, prefix: str = "") -> bool:
        """Let the store remove objects by age, where it can.

        Args:
            bucket: the bucket.
            expire_days: the age in days.
            prefix: only keys that begin so; all of them unless given.

        Returns:
            False when this store has no lifecycle rules, so that the caller removes old objects.
        """
        body = (
            f'<LifecycleConfiguration xmlns="{_XMLNS}"><Rule><ID>expire-{escape(prefix or "all")}'
            f"</ID><Status>Enabled</Status><Filter><Prefix>{escape(prefix)}</Prefix></Filter>"
            f"<Expiration><Days>{expire_days:d}</Days></Expiration></Rule></LifecycleConfiguration>"
        )
        return self._configure(bucket, "lifecycle", body.encode(), "set the lifecycle of")

    def _configure(self, bucket: str, what: str, body: bytes, action: str) -> bool:
        answer = self._transport.send(
            f"{action} the bucket {bucket}",
            "PUT",
            self._transport.url(bucket),
            query={what: ""},
            headers={"x-amz-checksum-sha256": b64encode(sha256(body).digest()).decode()},
            body=body,
            accept=_NOT_IMPLEMENTED if what == "lifecycle" else (),
        )
        return not answer.code


def public_read_policy(bucket: str) -> dict[str, Any]:
    """Return the policy that lets anybody fetch an object whose whole name they know.

    Listing stays closed. It is for artifacts: their names hold their checksum and they hold no
    secret.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject"],
                "Resource": [f"arn:aws:s3:::{bucket}/*"],
            }
        ],
    }
