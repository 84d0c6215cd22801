"""docs/seed-coverage.md says of each number where it is, and it is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.environment import load

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "seed-coverage.md"
OPEN = "open"


def rows() -> list[list[str]]:
    """Return the cells of every row of the page's tables."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] not in {"what", "---"}]


ROWS = rows()
DONE = [row for row in ROWS if row[2] != OPEN]


@cache
def roots() -> Mapping[str, Any]:
    reference = yaml.safe_load((ROOT / "agents" / "reference.yaml").read_text())
    return {"prod": load(ROOT, "prod", environ={}), "agent": reference}


def found(kind: str, path: str) -> str:
    """Return a setting's value, as text."""
    value = roots()[kind]
    for part in path.split("."):
        value = getattr(value, part) if is_dataclass(value) else value[part]
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def test_every_row_has_its_cells() -> None:
    assert len(ROWS) > 60
    assert all(len(row) == 4 and row[0] and row[1] for row in ROWS)
    assert len({row[0] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", DONE, ids=[row[0] for row in DONE])
def test_a_number_is_where_the_page_says(row: list[str]) -> None:
    _, _, now, place = row
    value, where = re.fullmatch(r"`(.+)`", now), re.fullmatch(r"`(.+)`", place)
    assert value and where, "the value and the place stand in backquotes"
    setting = re.fullmatch(r"(prod|agent): ([a-z0-9_.]+)", where[1])
    if setting:
        assert found(setting[1], setting[2]) == value[1]
    else:
        assert value[1] in (ROOT / where[1]).read_text()
