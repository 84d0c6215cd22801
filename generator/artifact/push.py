"""Puts an artifact where Nomad fetches it from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flowrex.errors import ConfigurationError
from flowrex.secret import Secret
from generator.artifact.made import Artifact
from generator.environment.model import Environment

if TYPE_CHECKING:
    from flowrex.s3 import S3Client

_TIMEOUT_S = 60


class Store(Protocol):
    """What pushing needs of an object store."""

    def put_file(
        self, bucket: str, key: str, path: Path, *, sha256: str, if_absent: bool = True
    ) -> bool:
        """Upload a file unless the same is there."""
        ...

    def url(self, bucket: str, key: str) -> str:
        """Return an object's address."""
        ...


@dataclass(frozen=True)
class Pushed:
    """Where an artifact is.

    Attributes:
        url: its address for plain HTTP.
        uploaded: False when the same artifact was there already.
    """

    url: str
    uploaded: bool


def push(artifact: Artifact, store: Store, bucket: str) -> Pushed:
    """Upload an artifact, once.

    Args:
        artifact: what was built.
        store: the environment's object store.
        bucket: its bucket for artifacts.

    Raises:
        ServerUnreachable: the store does not answer, or refuses.
    """
    uploaded = store.put_file(bucket, artifact.key, artifact.path, sha256=artifact.sha256)
    return Pushed(store.url(bucket, artifact.key), uploaded)


def store_of(environment: Environment, environ: Mapping[str, str]) -> S3Client:
    """Return a client of an environment's object store.

    The key comes from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a local cluster has its own.

    Args:
        environment: the environment.
        environ: the process's environment.

    Raises:
        ConfigurationError: there is no key.
    """
    from flowrex.s3 import S3Client

    access, secret = _keys(environment, environ)
    store = environment.s3
    return S3Client(store.endpoint, store.region, access, secret, timeout_s=_TIMEOUT_S)


def _keys(environment: Environment, environ: Mapping[str, str]) -> tuple[Secret, Secret]:
    access = environ.get("AWS_ACCESS_KEY_ID")
    secret = environ.get("AWS_SECRET_ACCESS_KEY")
    if environment.platform.local:
        # The local gateway knows its own key alone; somebody's cloud key must not be sent to it.
        from generator.dev import secrets
        from generator.dev.layout import state_dir

        folder = state_dir(environ) / "secrets"
        local = secrets.read(folder / "s3-access"), secrets.read(folder / "s3-secret")
        if local[0] and local[1]:
            return local[0], local[1]
    if access and secret:
        return Secret(access), Secret(secret)
    hint = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key that may write the bucket."
    if environment.platform.local:
        hint = "`flowrexctl dev up` starts the local cluster, which has one."
    raise ConfigurationError(
        f"there is no key for the object store of {environment.name}", hint=hint
    )
