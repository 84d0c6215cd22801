"""What is drawn: every expression is one for the real promtool, and asks for metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import ROOT

FILES = sorted((ROOT / "dashboards").glob("*.json"))
REFERENCES = ("metrics.md", "agent-metrics.md")
# Of others than Flowrex: asked of the real Prometheus in tests/live/test_monitoring.py.
FOREIGN = re.compile(r"(up|ALERTS|(node|pg|redis|nginx|process)_\w+)$")
_LABELS = re.compile(r"\{[^}]*\}|\[\w+\]|\bby \([^)]*\)|\bor\b")
_METRIC = re.compile(r"\b[a-zA-Z_]\w*\b(?! *\(| by)")
_WIDTH = 24


def read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def panels(file: Path) -> list[dict[str, Any]]:
    return [one for one in read(file)["panels"] if one["type"] != "row"]


def expressions(file: Path) -> dict[str, str]:
    """Return every expression, as Grafana sends it with everything chosen, by where it stands."""
    drawn = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels(file)
        for target in panel["targets"]
    }
    marked = {one["name"]: one["expr"] for one in read(file)["annotations"]["list"]}
    return {name: one.replace("$job", "backend|frontend") for name, one in (drawn | marked).items()}


def metrics(expression: str) -> list[str]:
    """Return the metrics that an expression asks for."""
    bare = re.sub(r'"[^"]*"', "", expression)
    return _METRIC.findall(_LABELS.sub("", bare))


def test_there_is_an_overview() -> None:
    assert ROOT / "dashboards" / "overview.json" in FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_promtool_reads_every_expression(file: Path, tmp_path: Path) -> None:
    rules = [
        {"record": f"flowrex:{index}", "expr": one}
        for index, one in enumerate(expressions(file).values())
    ]
    written = tmp_path / "rules.yml"
    written.write_text(yaml.safe_dump({"groups": [{"name": "drawn", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", written], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_what_is_flowrexs_own_is_a_metric_that_there_is(file: Path) -> None:
    folder = ROOT / "docs" / "reference"
    texts = " ".join((folder / name).read_text() for name in REFERENCES)
    known = set(re.findall(r"`(\w+)`", texts))
    for where, expression in expressions(file).items():
        asked = {re.sub("_bucket$", "", one) for one in metrics(expression)}
        assert asked, f"{where} asks for nothing"
        strange = {one for one in asked if one not in known and not FOREIGN.match(one)}
        assert not strange, f"{where} asks for {strange}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_every_panel_has_its_place_and_says_what_it_shows(file: Path) -> None:
    taken: set[tuple[int, int]] = set()
    every = read(file)["panels"]
    assert len({one["id"] for one in every}) == len(every)
    for one in every:
        place = one["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, f"{one['title']} lies over another"
        assert max(x for x, _ in cells) < _WIDTH
        taken |= cells
    for panel in panels(file):
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
