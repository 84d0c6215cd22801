from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.generator.checks.world import World, where_all_is_well


@pytest.fixture
def world(tmp_path: Path) -> World:
    return where_all_is_well(tmp_path)
