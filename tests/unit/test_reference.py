"""Nothing is undocumented: the reference pages are what the code says, and the code says it all."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

import flowrex.keys
from flowrex.settings.schema import settings
from generator.environment import Environment

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"

_specification = importlib.util.spec_from_file_location("reference", ROOT / "tools/reference.py")
assert _specification
assert _specification.loader
reference = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(reference)


@pytest.mark.parametrize("name", reference.pages())
def test_a_page_is_as_the_code_would_write_it(name: str) -> None:
    assert (FOLDER / name).read_text() == reference.pages()[name], "make reference"


def test_every_setting_says_what_it_does() -> None:
    assert [one.path for one in settings(Environment) if not one.doc.strip()] == []


def test_every_setting_is_in_the_commented_base_file_and_in_no_other_place_only() -> None:
    base = yaml.safe_load((ROOT / "jobs/environments/base.yaml").read_text())
    for one in settings(Environment):
        value = base
        for key in one.path.split("."):
            assert key in value, one.path
            value = value[key]


def test_no_two_tasks_of_the_agent_export_the_same_metric() -> None:
    # Prometheus refuses the whole page where a name stands twice.
    names = [family.name for task in reference._agent_tasks() for family in task.metrics()]
    assert len(names) == len(set(names))


def test_a_metric_that_is_not_known_yet_is_documented_all_the_same() -> None:
    page = (FOLDER / "agent-metrics.md").read_text()
    code = "".join(path.read_text() for path in (ROOT / "agents").rglob("*.py"))
    names = set(re.findall(r'(?:MetricFamily|_gauge)\(\s*"(flowrex_\w+)"', code))
    assert len(names) > 30
    assert {
        one for one in names if f"`{one}`" not in page and f"`{one}_total`" not in page
    } == set()


def test_every_consul_key_is_described() -> None:
    keys = {
        value
        for name, value in vars(flowrex.keys).items()
        if name.isupper() and isinstance(value, str)
    }
    described = flowrex.keys.DESCRIPTIONS
    assert {key for key in keys if not any(known.startswith(key) for known in described)} == set()


def test_every_environment_variable_that_the_tool_reads_is_documented() -> None:
    rooms = ("generator", "flowrex", "agents")
    code = [path for room in rooms for path in (ROOT / room).rglob("*.py")] + [ROOT / "Makefile"]
    read = {
        name
        for path in code
        for name in re.findall(r"\"(FLOWREX_[A-Z_]*[A-Z])\"", path.read_text())
    }
    pages = "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    pages += (ROOT / "CONTRIBUTING.md").read_text()
    assert {name for name in read if name not in pages} == set()


def test_no_link_of_the_documentation_is_broken() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
