"""The project's own programs before and after a change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError, HardStop
from generator.environment.telling import Hooks as Settings
from generator.hooks import EVENTS, Hooks
from generator.release import Kind, Release
from generator.watch import Event
from tests.unit.generator.rolling import JumpingClock

RECORD = Release(
    id="20260301T120000.000000Z-0a1b",
    environment="prod",
    kind="run",
    version="1.4.0",
    outcome="running",
    started="2026-03-01T12:00:00+00:00",
    ended=None,
    holder={"who": "kim", "host": "desk"},
    reason="case 17",
)


class Project:
    """A project with hooks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: list[Event] = []
        self.environ = {"TOKEN_OF_A_TRACKER": "t", "OTHER": "o"}

    def hook(self, event: str, name: str, script: str) -> Path:
        path = self.root / "hooks" / event / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def hooks(self, **more: object) -> Hooks:
        settings = Settings(
            dir="hooks",
            timeout="5s",  # type: ignore[arg-type]
            attempts=3,
            output=2000,
            variables=None,
        )
        chosen = replace(settings, **more)  # type: ignore[arg-type]
        return Hooks(chosen, self.root, self.told.append, self.environ, JumpingClock())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_project_without_hooks_runs_none(project: Project) -> None:
    project.hooks().before(RECORD)
    project.hooks(dir=None).after(RECORD)
    assert project.told == []


def test_a_hook_is_told_of_the_change_and_runs_in_the_project(project: Project) -> None:
    project.hook("before-run", "10-ask", "cat > seen; pwd; env > variables")
    project.hooks().before(RECORD)
    seen = json.loads((project.root / "seen").read_text())
    assert seen["event"] == "before-run"
    assert seen["release"]["id"] == RECORD.id
    variables = dict(
        line.split("=", 1) for line in (project.root / "variables").read_text().splitlines()
    )
    assert variables["FLOWREX_RELEASE"] == "1.4.0"
    assert variables["FLOWREX_REASON"] == "case 17"
    assert variables["FLOWREX_WHO"] == "kim@desk"
    assert "TOKEN_OF_A_TRACKER" not in variables
    assert [event.what for event in project.told] == ["hook"]
    assert str(project.root) in project.told[0].text


def test_it_gets_those_variables_of_the_caller_that_are_named(project: Project) -> None:
    project.hook("after-run", "a", "env")
    project.hooks(variables=("TOKEN_OF_A_TRACKER", "NONE")).after(RECORD)
    assert "TOKEN_OF_A_TRACKER=t" in project.told[0].text
    assert "OTHER" not in project.told[0].text


def test_one_that_refuses_lets_nothing_begin_and_no_other_is_run(project: Project) -> None:
    project.hook("before-run", "10-freeze", "echo no deployment on Fridays; exit 1")
    project.hook("before-run", "20-next", "touch ran")
    with pytest.raises(HardStop, match=r"10-freeze .* ended with 1, and said: no deployment on"):
        project.hooks().before(RECORD)
    assert not (project.root / "ran").exists()


def test_one_that_can_not_be_run_lets_nothing_begin(project: Project) -> None:
    project.hook("before-run", "a", "true").chmod(0o644)
    with pytest.raises(HardStop, match="is not executable"):
        project.hooks().before(RECORD)


def test_one_that_fails_afterwards_is_told_and_the_next_is_run(project: Project) -> None:
    project.hook("after-run", "a", "exit 4")
    project.hook("after-run", "b", "touch ran")
    project.hooks().after(RECORD)
    assert [event.what for event in project.told] == ["hook-failed", "hook"]
    assert (project.root / "ran").exists()


@pytest.mark.parametrize("kind", ["fail", "rollback"])
def test_nothing_is_run_before_a_change_that_takes_something_back(
    project: Project, kind: Kind
) -> None:
    project.hook(f"before-{kind}", "a", "exit 1")
    project.hooks().before(replace(RECORD, kind=kind))
    assert project.told == []


def test_one_that_says_try_again_is_tried_again(project: Project) -> None:
    script = 'echo $FLOWREX_ATTEMPT >> tries; test "$FLOWREX_ATTEMPT" = 3 || exit 75'
    project.hook("before-run", "a", script)
    project.hooks().before(RECORD)
    assert (project.root / "tries").read_text().split() == ["1", "2", "3"]


def test_it_is_not_tried_for_ever(project: Project) -> None:
    project.hook("before-run", "a", "echo x >> tries; exit 75")
    with pytest.raises(HardStop, match="ended with 75"):
        project.hooks(attempts=2).before(RECORD)
    assert (project.root / "tries").read_text().split() == ["x", "x"]


def test_one_that_fails_otherwise_is_not_tried_again(project: Project) -> None:
    project.hook("after-run", "a", "echo x >> tries; exit 1")
    project.hooks().after(RECORD)
    assert (project.root / "tries").read_text().split() == ["x"]


def test_a_folder_for_an_event_that_there_is_not_is_a_mistake(project: Project) -> None:
    project.hook("after-runs", "a", "true")
    with pytest.raises(ConfigurationError, match="no event 'after-runs'") as caught:
        project.hooks().check()
    assert "after-run" in (caught.value.hint or "")


def test_an_event_that_is_no_folder_is_a_mistake_and_lets_nothing_begin(project: Project) -> None:
    (project.root / "hooks").mkdir()
    (project.root / "hooks" / "README").write_text("no event")
    project.hooks().check()
    for name in ("before-run", "after-run"):
        (project.root / "hooks" / name).write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(ConfigurationError, match=r"hooks/after-run: is no folder"):
        project.hooks().check()
    with pytest.raises(HardStop, match=r"hooks/before-run: its hooks can't be looked at") as caught:
        project.hooks().before(RECORD)
    assert "Nothing was changed" in (caught.value.hint or "")
    project.hooks().after(RECORD)
    assert [event.what for event in project.told] == ["hook-failed"]
    assert "after-run" in project.told[0].text


def test_hooks_that_are_no_folder_are_a_mistake(project: Project) -> None:
    (project.root / "hooks").write_text("")
    with pytest.raises(ConfigurationError, match="hooks: the hooks can't be looked at"):
        project.hooks().check()


def test_every_event_may_have_hooks(project: Project) -> None:
    for event in EVENTS:
        project.hook(event, "a", "true")
    project.hooks().check()


def test_what_looks_like_a_secret_is_not_shown(project: Project) -> None:
    project.hook("after-run", "a", "echo token=hvs.$(printf 'a%.0s' $(seq 40))")
    project.hooks().after(RECORD)
    assert "hvs.aaaa" not in project.told[0].text
