"""What the agents' key may do with the object store, and what not even it may."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from flowrex.errors import PermissionRefused
from flowrex.s3 import S3Client
from flowrex.vault import VaultClient
from generator.bootstrap import Target

Action = Callable[[S3Client, str], object]


@pytest.fixture(scope="session")
def agents(target: Target, vault_as: Callable[[str], VaultClient]) -> S3Client:
    """The store, asked with the key that Vault keeps for the agents."""
    found = vault_as("agent").kv_read("flowrex/agent")
    assert found is not None
    where = target.environment.s3
    return S3Client(where.endpoint, where.region, found["s3_access_key"], found["s3_secret_key"])


@pytest.fixture(params=["backups_bucket", "logs_bucket"])
def bucket(request: pytest.FixtureRequest, target: Target) -> Iterator[str]:
    """Each bucket that the agents write."""
    name: str = getattr(target.environment.s3, request.param)
    yield name


@pytest.fixture
def key() -> str:
    """An object's name that nobody has."""
    return f"privileges-probe/{uuid.uuid4()}"


def test_the_agents_write_read_and_list_their_buckets(
    agents: S3Client, bucket: str, key: str
) -> None:
    assert agents.put(bucket, key, b"probe")
    assert agents.get(bucket, key) == b"probe"
    assert [entry.key for entry in agents.list(bucket, key)] == [key]


def test_the_agents_put_what_is_retained_and_can_not_delete_it(
    agents: S3Client, bucket: str, key: str
) -> None:
    agents.put(bucket, key, b"probe", retain_until=datetime.now(UTC) + timedelta(minutes=5))
    (version,) = agents.versions(bucket, key)
    with pytest.raises(PermissionRefused):
        agents.delete(bucket, key, version.version_id)


FORBIDDEN: dict[str, Action] = {
    "shorten the retention": lambda s3, name: s3.set_default_retention(name, 1, "GOVERNANCE"),
    "replace the policy": lambda s3, name: s3.put_bucket_policy(name, {}),
    "make a bucket": lambda s3, name: s3.ensure_bucket("privileges-probe"),
}


@pytest.mark.parametrize("action", FORBIDDEN)
def test_the_agents_configure_no_bucket(agents: S3Client, bucket: str, action: str) -> None:
    with pytest.raises(PermissionRefused):
        FORBIDDEN[action](agents, bucket)


@pytest.mark.parametrize("other", ["artifacts_bucket", "exports_bucket"])
def test_the_agents_write_no_other_bucket(
    agents: S3Client, target: Target, key: str, other: str
) -> None:
    with pytest.raises(PermissionRefused):
        agents.put(getattr(target.environment.s3, other), key, b"probe")
