"""An S3-compatible object store, with the errors and the write-once rule that Flowrex needs.

This is the only module that imports boto3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from flowrex.errors import (
    ConfigurationError,
    FlowrexError,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.secret import Secret

_SHA256 = "sha256"
_UNREACHABLE = (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
_DENIED = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled"}
)
_ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "NotFound", "404"})
_NOT_IMPLEMENTED = frozenset({"NotImplemented", "501", "MethodNotAllowed"})
_EXISTS = frozenset({"PreconditionFailed", "412"})


class ObjectExists(ServerRefused):
    """An object of that name is there already, with other content."""


@dataclass(frozen=True)
class ObjectHead:
    """What the store says about one object.

    Attributes:
        size: its length in bytes.
        sha256: the checksum that `put_file` recorded, in hex, or None for an object put otherwise.
        etag: the store's own tag.
    """

    size: int
    sha256: str | None
    etag: str


class S3Client:
    """The calls that Flowrex makes, each raising the errors of `flowrex.errors`."""

    def __init__(
        self,
        endpoint: str,
        region: str,
        access_key: Secret,
        secret_key: Secret,
        *,
        timeout_s: float = 30,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            endpoint: the store's URL, `http://127.0.0.1:7070` or `https://s3.eu-central-1…`.
            region: the region that requests are signed for.
            access_key: the key's public half.
            secret_key: its secret half.
            timeout_s: seconds to wait for a connection, and for each answer.
        """
        self.endpoint = endpoint.rstrip("/")
        if not self.endpoint.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"the S3 endpoint is {endpoint!r}; expected a URL, for example http://127.0.0.1:7070"
            )
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=access_key.reveal(),
            aws_secret_access_key=secret_key.reveal(),
            # A certificate bundle from the environment is for https; with plain HTTP, a bundle
            # that can't be read must not matter.
            verify=None if self.endpoint.startswith("https://") else False,
            config=Config(
                connect_timeout=timeout_s,
                read_timeout=timeout_s,
                retries={"total_max_attempts": 3, "mode": "standard"},
                s3={"addressing_style": "path"},
                # The endpoint is named by the environment's settings; a proxy for the world
                # outside would only hide it.
                proxies={"http": "", "https": ""} if _is_loopback(self.endpoint) else None,
            ),
        )

    def list_buckets(self) -> tuple[str, ...]:
        """Return the names of the buckets that this key owns, sorted."""
        with self._errors("list the buckets"):
            answer = self._client.list_buckets()
        return tuple(sorted(bucket["Name"] for bucket in answer.get("Buckets", [])))

    def ensure_bucket(self, name: str, *, object_lock: bool = False) -> bool:
        """Make the bucket unless it is there.

        Args:
            name: the bucket.
            object_lock: make it so that retention can be set on it; only at creation.

        Returns:
            Whether it was made now.
        """
        with self._errors(f"look for the bucket {name}"):
            try:
                self._client.head_bucket(Bucket=name)
            except ClientError as error:
                if _code(error) not in _ABSENT:
                    raise
            else:
                return False
        with self._errors(f"make the bucket {name}"):
            try:
                self._client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=object_lock)
            except ClientError as error:
                if _code(error) != "BucketAlreadyOwnedByYou":
                    raise
                return False
        return True

    def put_bucket_policy(self, bucket: str, policy: Mapping[str, Any]) -> None:
        """Set the bucket's policy.

        Args:
            bucket: the bucket.
            policy: the policy document, see `public_read_policy`.
        """
        with self._errors(f"set the policy of the bucket {bucket}"):
            self._client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy, sort_keys=True))

    def set_default_retention(
        self, bucket: str, days: int, mode: Literal["GOVERNANCE", "COMPLIANCE"]
    ) -> None:
        """Lock every new object of a bucket made with `object_lock` for `days` days."""
        rule = {"DefaultRetention": {"Mode": mode, "Days": days}}
        with self._errors(f"set the retention of the bucket {bucket}"):
            self._client.put_object_lock_configuration(
                Bucket=bucket,
                ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
            )

    def set_lifecycle(self, bucket: str, *, expire_days: int, prefix: str = "") -> bool:
        """Let the store remove objects by age, where it can.

        Args:
            bucket: the bucket.
            expire_days: the age in days.
            prefix: only keys that begin so; all of them unless given.

        Returns:
            False when this store has no lifecycle rules, so that the caller removes old objects.
        """
        rule = {
            "ID": f"expire-{prefix or 'all'}",
            "Status": "Enabled",
            "Filter": {"Prefix": prefix},
            "Expiration": {"Days": expire_days},
        }
        with self._errors(f"set the lifecycle of the bucket {bucket}"):
            try:
                self._client.put_bucket_lifecycle_configuration(
                    Bucket=bucket, LifecycleConfiguration={"Rules": [rule]}
                )
            except ClientError as error:
                if _code(error) in _NOT_IMPLEMENTED or _status(error) == 501:
                    return False
                raise
        return True

    def head(self, bucket: str, key: str) -> ObjectHead | None:
        """Return what the store knows about an object, or None when there is none."""
        with self._errors(f"look for {self.url(bucket, key)}"):
            try:
                answer = self._client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
        return ObjectHead(
            size=int(answer["ContentLength"]),
            sha256=answer.get("Metadata", {}).get(_SHA256),
            etag=str(answer.get("ETag", "")),
        )

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
        only: dict[str, str] = {"IfNoneMatch": "*"} if if_absent else {}
        with self._errors(f"upload {self.url(bucket, key)}"), path.open("rb") as body:
            try:
                self._client.put_object(
                    Bucket=bucket,
                    Key=key,
                    Body=body,
                    ChecksumSHA256=_base64_of_hex(sha256),
                    Metadata={_SHA256: sha256},
                    **only,
                )
            except ClientError as error:
                if _code(error) not in _EXISTS or not if_absent:
                    raise
            else:
                return True
        present = self.head(bucket, key)
        if present is not None and present.sha256 == sha256:
            return False
        raise ObjectExists(
            f"{self.url(bucket, key)} exists already, with other content "
            f"(SHA-256 {present.sha256 if present else 'unknown'} instead of {sha256})",
            hint="A release is written once. Build under a new version.",
        )

    def url(self, bucket: str, key: str) -> str:
        """Return the address under which plain HTTP finds an object of a readable bucket."""
        return f"{self.endpoint}/{bucket}/{key}"

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        """Map the library's exceptions; every call to the store stands inside."""
        try:
            yield
        except ClientError as error:
            raise self._refusal(error, action) from error
        except _UNREACHABLE as error:
            raise ServerUnreachable(
                f"the S3 store at {self.endpoint} does not answer (to {action})",
                hint="Check that it runs and that s3.endpoint is right.",
            ) from error
        except BotoCoreError as error:
            raise ServerRefused(
                f"can't {action} at the S3 store {self.endpoint}: {error}"
            ) from error

    def _refusal(self, error: ClientError, action: str) -> FlowrexError:
        code = _code(error)
        text = error.response.get("Error", {}).get("Message", "") or code
        if code in _DENIED or _status(error) == 403:
            return PermissionRefused(
                f"the S3 store at {self.endpoint} refuses to {action}: {text}",
                hint="Check the access key: it must be one that may do this.",
            )
        if code in _ABSENT:
            return NotFound(f"the S3 store at {self.endpoint} can't {action}: {text}")
        return ServerRefused(f"the S3 store at {self.endpoint} can't {action}: {code}: {text}")


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


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _base64_of_hex(digest: str) -> str:
    from base64 import b64encode

    return b64encode(bytes.fromhex(digest)).decode()


def _is_loopback(endpoint: str) -> bool:
    return endpoint.split("//", 1)[1].startswith(("127.", "localhost", "[::1]"))
