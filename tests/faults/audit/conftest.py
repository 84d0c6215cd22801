"""The real gateway, and a proxy before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import gateway
from tests.faults import s3_proxy
from tests.faults.audit.shipping import BUCKET, Shipping


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway of this test run's own, with the bucket for the audit log."""
    with gateway.running(tmp_path_factory.mktemp("s3")) as address:
        gateway.client(address).ensure_bucket(BUCKET, object_lock=True)
        yield address


@pytest.fixture
def proxy(address: str) -> Iterator[s3_proxy.Proxy]:
    """What stands between the agent and the gateway."""
    with s3_proxy.running(address) as proxy:
        yield proxy
        proxy.heal()


@pytest.fixture
def shipping(tmp_path: Path, address: str, proxy: s3_proxy.Proxy) -> Shipping:
    """A node that ships through the proxy."""
    return Shipping(tmp_path / "node", proxy.address, address, tmp_path.name.lower(), timeout_s=1)
