"""A cluster of its own, whose PostgreSQL is killed and restored."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.archived import Database, archived

BASE = int(os.environ.get("FLOWREX_TEST_PHYSICAL_PORT_BASE", "30000"))


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """The cluster's PostgreSQL, with its first backup."""
    with archived(BASE) as made:
        yield made
