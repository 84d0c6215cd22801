"""docs/diagnoses.md shows each kind of failure, in the words in which it is told."""

from __future__ import annotations

import re
from pathlib import Path

from tests.diagnoses.fixture import GOLDEN
from tests.diagnoses.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "diagnoses.md"
ROW = re.compile(r"^\| \[`(\w+)`\]\(\.\./(\S+)\) \| (.+?) \| (.+) \|$", re.MULTILINE)


def test_every_kind_is_in_the_tables_in_its_own_words() -> None:
    rows = ROW.findall(PAGE.read_text())
    assert [(name, about) for name, _, about, _ in rows] == [(one.name, one.about) for one in KINDS]
    for name, link, _, said in rows:
        assert link == f"tests/golden/diagnoses/{name}.txt"
        assert said.replace("\\|", "|") in (GOLDEN / f"{name}.txt").read_text()
