"""The verdict on all hard stops: what is unknown stops, and what may be overridden."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flowrex.errors import HardStop, UsageError
from generator.environment.preflight import Preflight, Stops
from generator.preflight.stops import STOPS, check_overrides, look, refuse
from tests.unit.generator.checks.world import World


def preflight(world: World, **modes: str) -> Preflight:
    before = world.environment.preflight
    return replace(before, stops=replace(before.stops, **modes))  # type: ignore[arg-type]


def verdicts(world: World, *overrides: str) -> dict[str, str]:
    return {one.check.name: one.verdict for one in look(world.ground(), overrides)}


def test_there_is_a_setting_for_each_stop_and_no_other() -> None:
    assert [stop.name for stop in STOPS] == list(Stops.__dataclass_fields__)


def test_where_all_is_well_a_run_is_let_through(world: World) -> None:
    looked = look(world.ground())
    assert {one.verdict for one in looked} == {"passed"}
    refuse("prod", looked)


def test_one_that_is_wrong_stops_and_is_named(world: World) -> None:
    world.check("critical", "HTTP 503")
    looked = look(world.ground())
    with pytest.raises(HardStop, match="1 of 10 hard stops hold: health: What runs") as caught:
        refuse("prod", looked)
    assert "Nothing was changed" in (caught.value.hint or "")


def test_what_cant_be_told_stops(world: World) -> None:
    world.pages.clear()
    assert {name for name, one in verdicts(world).items() if one == "unknown"} == {
        "monitoring", "caps",
    }  # fmt: skip
    with pytest.raises(HardStop, match="It can't be told"):
        refuse("prod", look(world.ground()))


@pytest.mark.parametrize("data", [{"activeTargets": [{}]}, {"activeTargets": None}, None])
def test_an_odd_answer_is_unknown_and_breaks_nothing(world: World, data: object) -> None:
    targets = next(url for url in world.pages if url.endswith("/targets"))
    world.pages[targets] = {"status": "success", "data": data}
    looked = {one.check.name: one for one in look(world.ground())}
    assert looked["monitoring"].verdict == "unknown"
    assert looked["monitoring"].text.startswith("It can't be told: what was answered is odd")
    assert looked["caps"].verdict == "passed"
    assert verdicts(world, "monitoring")["monitoring"] == "overridden"


def test_what_is_off_is_not_looked_at(world: World) -> None:
    world.pages.clear()
    world.environment = replace(
        world.environment, preflight=preflight(world, monitoring="off", caps="off")
    )
    assert verdicts(world)["caps"] == "off"
    refuse("prod", look(world.ground()))


def test_an_overridden_one_is_looked_at_and_does_not_stop(world: World) -> None:
    world.check("critical", "HTTP 503")
    found = verdicts(world, "health", "tests")
    assert (found["health"], found["tests"]) == ("overridden", "passed")
    refuse("prod", look(world.ground(), ("health",)))


class TestOverrides:
    def test_what_the_environment_allows_needs_a_reason(self, world: World) -> None:
        check_overrides(world.environment.preflight, ["health"], "it is what this repairs")
        with pytest.raises(UsageError, match="needs a reason"):
            check_overrides(world.environment.preflight, ["health"], None)

    def test_what_is_enforced_is_refused(self, world: World) -> None:
        with pytest.raises(HardStop, match="certificates can't be overridden here"):
            check_overrides(world.environment.preflight, ["certificates"], "why")

    @pytest.mark.parametrize("name", ["secrets", "caps"])
    def test_secrets_and_caps_never_are(self, world: World, name: str) -> None:
        with pytest.raises(HardStop):
            check_overrides(world.environment.preflight, [name], "why")

    def test_an_unknown_one_names_the_nearest(self, world: World) -> None:
        with pytest.raises(UsageError) as caught:
            check_overrides(world.environment.preflight, ["helth"], "why")
        assert "'health'" in (caught.value.hint or "")
