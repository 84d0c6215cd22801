"""A run is prepared under its lock: hard stops first, then the backup, and its record says both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowrex.errors import HardStop, ServerUnreachable
from generator import release
from generator.environment import Environment
from generator.plan import plan_jobs
from generator.prepare import Preparation
from generator.release import Release
from generator.run import run, steps_of_plan
from tests.unit.generator.answering import answering, publish
from tests.unit.generator.checks.world import World, where_all_is_well
from tests.unit.generator.rolling import Rig, rendered, spec


@pytest.fixture
def world(tmp_path: Path) -> World:
    return where_all_is_well(tmp_path)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def asking(environment: Environment, *, backup: bool = False, **modes: str) -> Environment:
    """Return dev, asking for a backup and for some hard stops."""
    stops = replace(environment.preflight.stops, **modes)  # type: ignore[arg-type]
    preflight = replace(environment.preflight, stops=stops)
    deploy = replace(environment.deploy, backup=backup)
    return replace(environment, preflight=preflight, deploy=deploy)


def attempt(
    rig: Rig, world: World, environment: Environment, *, skip: str | None = None, **more: Any
) -> None:
    """Run a changed backend, prepared."""
    jobs = [rendered(spec(v="2"))]
    steps = steps_of_plan(plan_jobs(rig.nomad, jobs))  # type: ignore[arg-type]
    ground = replace(world.ground(), environment=environment, consul=rig.consul)  # type: ignore[arg-type]
    prepare = Preparation(ground, more.get("overrides", ()), skip, rig.events.append)
    run(rig.setup(environment), steps, version="1.1.0", promote=True, prepare=prepare)


def last(rig: Rig) -> Release:
    return release.history(rig.consul, "dev")[0]  # type: ignore[arg-type]


def test_where_nothing_is_asked_for_a_run_begins_at_once(
    rig: Rig,
    world: World,
    dev: Environment,
) -> None:
    attempt(rig, world, dev)
    assert last(rig).outcome == "done"
    assert not [event for event in rig.events if event.what.startswith("stop-")]


def test_a_stop_that_holds_changes_nothing_and_is_recorded(
    rig: Rig,
    world: World,
    dev: Environment,
) -> None:
    with pytest.raises(HardStop, match="No agent backs flowrex up"):
        attempt(rig, world, asking(dev, backups="overridable"))
    assert rig.nomad.written == []
    assert (last(rig).outcome, last(rig).jobs) == ("refused", {})
    assert "stop-failed" in rig.told


def test_an_overridden_stop_is_in_the_record(
    rig: Rig,
    world: World,
    dev: Environment,
) -> None:
    environment = asking(dev, backups="overridable")
    attempt(rig, world, environment, overrides=("backups",))
    assert last(rig).outcome == "done"
    assert last(rig).overridden == {"backups": "No agent backs flowrex up"}


def test_the_backups_name_is_in_the_record(
    rig: Rig,
    world: World,
    dev: Environment,
) -> None:
    publish(rig.consul)
    ends = {
        "backup": ("done", "taken", {"name": "pre_deploy_20260301_120000"}),
        "verify": ("done", "good", {"good": True}),
    }
    with answering(rig.consul, lambda request: ends[request.kind]):  # type: ignore[arg-type,return-value]
        attempt(rig, world, asking(dev, backup=True))
    assert last(rig).backup == "pre_deploy_20260301_120000"
    assert last(rig).outcome == "done"


def test_without_a_backup_nothing_is_changed(
    rig: Rig,
    world: World,
    dev: Environment,
) -> None:
    rig.in_service(spec(v="1"))
    with pytest.raises(ServerUnreachable, match="no backup before the run"):
        attempt(rig, world, asking(dev, backup=True))
    assert rig.nomad.written == []


def test_why_there_is_none_is_in_the_record(
    rig: Rig,
    world: World,
    dev: Environment,
) -> None:
    rig.in_service(spec(v="1"))
    attempt(rig, world, asking(dev, backup=True), skip="the store is being moved")
    assert (last(rig).backup, last(rig).backup_skipped) == (None, "the store is being moved")
    assert last(rig).outcome == "done"
