"""A full disk under the agent's state, on a file system of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.audit.shipping import Shipping, drain
from tests.small_disk import small_disk

pytestmark = pytest.mark.ci


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    with small_disk(tmp_path / "disk", kib=128) as folder:
        yield folder


def test_a_full_disk_stops_shipping_and_loses_nothing(shipping: Shipping, disk: Path) -> None:
    shipping.state = disk / "state"
    shipping.writer.write(20)
    shipping.ship()
    ballast = disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(b"x" * 1_000_000)
    shipping.writer.write(60)
    shipper = shipping.shipper()
    with pytest.raises(OSError, match="No space"):
        drain(shipper)
    ballast.unlink()
    drain(shipper)
    shipping.assert_all_there_once()


def test_a_full_disk_and_a_kill(shipping: Shipping, disk: Path) -> None:
    shipping.state = disk / "state"
    shipping.writer.write(20)
    shipping.ship()
    ballast = disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(b"x" * 1_000_000)
    shipping.writer.write(60)
    with pytest.raises(OSError, match="No space"):
        shipping.ship()
    ballast.unlink()
    shipping.ship()  # by another process, as it were
    shipping.assert_all_there_once()
