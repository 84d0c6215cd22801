"""The checks after a deployment as a whole."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, cast

import pytest

from flowrex.errors import DeploymentFailed
from generator.checks.model import Ground
from generator.environment.validation import Checks
from generator.postdeploy.checklist import CHECKS, Validator, look, refuse
from generator.recorder import Recorder
from tests.unit.generator.checks.world import World
from tests.unit.generator.rolling import JumpingClock, Rig


def ground(world: World, deadline: str = "10s", **weights: str) -> Ground:
    """Return what is looked at, with every check off but those that are named."""
    chosen = {one.name: weights.get(one.name, "off") for one in CHECKS}
    validation = replace(
        world.environment.validation,
        checks=Checks(**cast(dict[str, Any], chosen)),
        deadline=deadline,  # type: ignore[arg-type]
    )
    return replace(world.ground(), environment=replace(world.environment, validation=validation))


def test_there_is_a_setting_for_each_check_and_no_other() -> None:
    assert [one.name for one in fields(Checks)] == [one.name for one in CHECKS]


def test_what_is_off_is_not_looked_at(world: World) -> None:
    looked = look(ground(world, running="required"), JumpingClock())
    assert {one.check.name: one.verdict for one in looked} == {
        one.name: "passed" if one.name == "running" else "off" for one in CHECKS
    }


def test_what_is_not_passed_is_looked_at_again(world: World) -> None:
    world.check("critical", "refused")
    clock = JumpingClock()

    def guard() -> None:
        if clock.now() > 3:
            world.check("passing")

    looked = look(ground(world, health="required"), clock, guard=guard)
    assert next(one for one in looked if one.check.name == "health").verdict == "passed"


def test_it_is_given_up_at_the_deadline(world: World) -> None:
    world.check("critical", "refused")
    clock = JumpingClock()
    began = clock.now()
    looked = look(ground(world, health="required"), clock)
    assert next(one for one in looked if one.check.name == "health").verdict == "failed"
    assert clock.now() - began <= 10 + 2 * clock.step


def test_a_required_one_refuses_and_names_the_way_back(world: World) -> None:
    world.check("critical", "refused")
    where = ground(world, deadline="0s", health="required")
    with pytest.raises(DeploymentFailed, match="health: What runs is not healthy") as caught:
        refuse("prod", where.environment.validation, look(where, JumpingClock()))
    assert "flowrexctl rollback prod" in (caught.value.hint or "")


def test_one_that_is_only_told_refuses_nothing(world: World) -> None:
    world.check("critical", "refused")
    where = ground(world, deadline="0s", health="told")
    refuse("prod", where.environment.validation, look(where, JumpingClock()))


def test_what_was_found_is_told_and_recorded(world: World) -> None:
    rig = Rig()
    recorder = Recorder(cast(Any, rig.consul), "prod", "run", "1.0.0", "run prod", history=3)
    world.check("critical", "refused")
    where = ground(world, deadline="0s", health="told", running="required")
    Validator(lambda: where)(rig.watch(), recorder)
    assert rig.told == ["check-passed", "check-failed"]
    assert "is critical: refused" in rig.events[-1].text, "what is wrong is said, and not only that"
    assert recorder.record.checked == {"running": "passed", "health": "failed"}
