from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.flowrex.nomad.stub import Stub, running


@pytest.fixture
def nomad() -> Iterator[Stub]:
    """A stand-in for Nomad's API."""
    with running() as stub:
        yield stub
