"""The real S3 gateway, one of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowrex.errors import ServerUnreachable
from flowrex.s3 import S3Client
from flowrex.secret import Secret
from tests.cluster import eventually
from tests.contract import own

ACCESS, SECRET = "contract", "contract-secret"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a gateway and give its address.

    Args:
        folder: an empty one, for what it keeps.
    """
    for name in ("iam", "versions", "buckets", "attributes"):
        (folder / name).mkdir()
    address = f"127.0.0.1:{own.free_ports(1)[0]}"
    # The gateway compares these paths as texts: they must be absolute.
    command: list[str | Path] = [
        own.program("versitygw"), "--port", address, "--iam-dir", folder / "iam", "posix",
        "--sidecar", folder / "attributes", "--versioning-dir", folder / "versions",
        folder / "buckets",
    ]  # fmt: skip
    keys = {"ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET}
    with own.running(command, folder, environ=keys):
        eventually(lambda: _answers(client(f"http://{address}")), every=0.05, what="the gateway")
        yield f"http://{address}"


def client(address: str, secret: str = SECRET, *, timeout_s: float = 5) -> S3Client:
    """Return a client of the gateway, or of a proxy before it."""
    return S3Client(address, "us-east-1", Secret(ACCESS), Secret(secret), timeout_s=timeout_s)


def _answers(store: S3Client) -> bool:
    try:
        store.list_buckets()
    except ServerUnreachable:
        return False
    return True
