"""A release of the application that fails one request of twenty, and only when it is asked."""

from __future__ import annotations

from tests.cluster import Cluster

PATH = "/api/v1/instruments/EUR_USD"
_LUCK = '''
import random

from fastapi import HTTPException


def unlucky() -> None:
    """Fail one request of twenty."""
    if random.random() < 0.05:
        raise HTTPException(500, "bad luck")
'''


def push(cluster: Cluster, version: str) -> None:
    """Build and push it; the project's own files are as they were afterwards.

    Args:
        cluster: whose project is built.
        version: of the release.
    """
    source = cluster.project / "app" / "routes" / "instruments.py"
    before = source.read_text()
    read = "    instrument = await one_instrument"
    changed = before.replace("\nrouter = ", f"{_LUCK}\n\nrouter = ", 1)
    changed = changed.replace(read, f"    unlucky()\n{read}")
    assert changed.count("unlucky()") == 2, "the fault is in the code"
    source.write_text(changed)
    try:
        cluster.run("build", "--version", version, "--push", "dev")
    finally:
        source.write_text(before)
