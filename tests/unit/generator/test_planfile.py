from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowrex.errors import ConfigurationError, FlowrexError, UsageError
from generator import planfile
from generator.migrations import Schema
from generator.origin import MadeFrom
from generator.plan import JobPlan
from tests.unit.generator.rolling import rendered, spec

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MADE = MadeFrom("abc", "abc+changes", Schema("0002", {"0001": "", "0002": "why"}))
PLANS = (
    JobPlan(job=rendered(spec("migrate", kind="batch")), index=0, version=None, action="create"),
    JobPlan(job=rendered(spec()), index=41, version=3, action="update"),
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "release.plan"
    planfile.write(path, "prod", "1.4.0", PLANS, CREATED, MADE)
    return path


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_was_planned_comes_back(saved: Path) -> None:
    plan = planfile.read(saved, "prod")
    assert (plan.environment, plan.release, plan.created) == ("prod", "1.4.0", CREATED)
    assert [(one.job, one.index, one.version) for one in plan.jobs] == [
        (PLANS[0].job, 0, None),
        (PLANS[1].job, 41, 3),
    ]
    assert plan.made_from == MADE


def test_what_was_made_outside_git_comes_back_too(tmp_path: Path) -> None:
    path, made_from = tmp_path / "x.plan", MadeFrom(None, None, None)
    planfile.write(path, "prod", "1.4.0", PLANS, CREATED, made_from)
    assert planfile.read(path, "prod").made_from == made_from


def test_only_its_owner_can_read_it(saved: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600


def test_a_plan_for_another_environment_is_refused_with_the_right_command(saved: Path) -> None:
    with pytest.raises(UsageError) as caught:
        planfile.read(saved, "staging")
    assert "is for prod, not for staging" in caught.value.message
    assert caught.value.hint == f"flowrexctl run prod --plan {saved}"


@pytest.mark.parametrize(
    "change",
    [{"environment": "staging"}, {"jobs": []}, {"release": "9.9.9"}, {"sha256": "0" * 64}],
)
def test_an_edited_plan_is_refused(saved: Path, change: dict[str, Any]) -> None:
    edit(saved, **change)
    with pytest.raises(ConfigurationError, match="changed after it was made"):
        planfile.read(saved, "staging" if "environment" in change else "prod")


def test_a_spec_that_does_not_match_its_checksum_is_refused(saved: Path) -> None:
    document = json.loads(saved.read_text())
    document["jobs"][1]["hcl"] += " "
    document.pop("sha256")
    document["sha256"] = planfile._digest(document)
    saved.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match="spec of backend does not match"):
        planfile.read(saved, "prod")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "not JSON"),
        ('{"flowrex_plan": 2, "jobs"', "not JSON"),
        ("[]", "no plan"),
        ('{"a": 1}', "no plan"),
        ('{"flowrex_plan": 1}', "plan version 1 is not known here, only 2"),
        ('{"flowrex_plan": 2}', "changed after it was made, or is not whole"),
    ],
)
def test_what_is_no_plan_is_refused_clearly(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "x.plan"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=says) as caught:
        planfile.read(path, "prod")
    assert str(path) in caught.value.message
    assert caught.value.exit_status == 3


@pytest.mark.parametrize("missing", ["environment", "release", "created", "jobs", "made_from"])
def test_a_plan_that_lacks_something_says_what(saved: Path, missing: str) -> None:
    document = json.loads(saved.read_text())
    del document[missing], document["sha256"]
    document["sha256"] = planfile._digest(document)
    saved.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match=missing):
        planfile.read(saved, "prod")


def test_a_missing_or_unwritable_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FlowrexError, match="can't be read"):
        planfile.read(tmp_path / "none", "prod")
    with pytest.raises(FlowrexError, match="can't be written"):
        planfile.write(tmp_path / "no" / "such.plan", "prod", "1", PLANS, CREATED, MADE)
