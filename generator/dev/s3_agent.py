"""The node agents' own account at the S3 gateway: less than the gateway's keeper may do."""

from __future__ import annotations

import json
from typing import Any

from flowrex.files import write_atomic
from flowrex.secret import Secret
from generator.dev import secrets
from generator.dev.layout import Layout

_OBJECTS = (
    "s3:PutObject",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectRetention",
    "s3:PutObjectRetention",
    "s3:GetObjectLegalHold",
    "s3:PutObjectLegalHold",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    # What is under retention is not deleted by this: that would need BypassGovernanceRetention.
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
)
_BUCKET = (
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:GetBucketLocation",
    "s3:GetBucketObjectLockConfiguration",
)


def key(layout: Layout) -> tuple[Secret, Secret]:
    """Return the account's key and its secret half, made at random the first time."""
    return (
        secrets.password(layout.secret("s3-agent-access")),
        secrets.password(layout.secret("s3-agent-secret")),
    )


def prepare(layout: Layout, iam_folder: str) -> None:
    """Put the account among the gateway's, which reads them at its start.

    Args:
        layout: the cluster.
        iam_folder: the folder, below the gateway's own, in which it keeps accounts.
    """
    access, secret = (half.reveal() for half in key(layout))
    account = {
        "access": access,
        "secret": secret,
        "role": "user",
        "userID": 0,
        "groupID": 0,
        "projectID": 0,
    }
    path = layout.data("s3") / iam_folder / "users.json"
    document: dict[str, Any] = {"accessAccounts": {}}
    if path.exists():
        document = json.loads(path.read_text())
    if document["accessAccounts"].get(access) != account:
        document["accessAccounts"][access] = account
        write_atomic(path, json.dumps(document), mode=0o600)


def policy(layout: Layout, bucket: str) -> dict[str, Any]:
    """Return the policy of a bucket that the agents write: objects and lists, nothing else."""
    access, _ = key(layout)
    who = {"Effect": "Allow", "Principal": {"AWS": [access.reveal()]}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {**who, "Action": list(_OBJECTS), "Resource": [f"arn:aws:s3:::{bucket}/*"]},
            {**who, "Action": list(_BUCKET), "Resource": [f"arn:aws:s3:::{bucket}"]},
        ],
    }
