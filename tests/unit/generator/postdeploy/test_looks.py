"""What each check after a deployment lets through, and what it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flowrex import keys
from flowrex.consul import ServiceCheck, ServiceInstance
from generator.fetch import Page
from generator.postdeploy import alerts, endpoints, errors, running, traffic, trail
from generator.postdeploy.alerts import ALWAYS
from generator.render import RenderedJob
from tests.unit.generator.checks.world import NOW, World, answer
from tests.unit.generator.rolling import spec

PROMETHEUS = "http://10.0.0.9:9090/api/v1/query"


def vector(*series: tuple[dict[str, str], float]) -> dict[str, Any]:
    result = [{"metric": labels, "value": [0, str(value)]} for labels, value in series]
    return answer(resultType="vector", result=result)


class TestRunning:
    def test_what_runs_its_newest_version_passes(self, world: World) -> None:
        found = world.look(running.look)
        assert found.passed
        assert found.evidence == ("backend: version 0, 2 running",)

    def test_a_job_that_was_never_deployed_does_not(self, world: World) -> None:
        world.jobs = (*world.jobs, RenderedJob("nginx", "service", "", ""))
        found = world.look(running.look)
        assert found.evidence == ("nginx: it was never deployed",)

    def test_a_deployment_on_its_way_does_not(self, world: World) -> None:
        index = world.nomad.jobs.get("backend").job_modify_index
        world.nomad.jobs.register(spec(v="2"), expected_index=index)
        found = world.look(running.look)
        assert not found.passed
        assert "older version still run" in " ".join(found.evidence)


class TestEndpoints:
    def test_every_nginx_and_every_public_url_is_asked(self, world: World) -> None:
        entry(world)
        world.environment = replace(
            world.environment,
            preflight=replace(world.environment.preflight, public_urls={"app": "https://app.x"}),
        )
        world.texts["https://app.x"] = Page(200, "")
        found = world.look(endpoints.look)
        assert found.passed
        assert found.text == "4 addresses answer 200"

    def test_another_status_is_told(self, world: World) -> None:
        entry(world)
        world.texts["http://10.0.0.5:80/health"] = Page(503, "")
        found = world.look(endpoints.look)
        assert found.evidence[0] == "http://10.0.0.5:80/health answers 503"

    def test_who_is_sent_to_tls_is_told_which_setting_lets_it_in(self, world: World) -> None:
        entry(world)
        world.texts["http://10.0.0.5:80/health"] = Page(308, "")
        found = world.look(endpoints.look)
        assert not found.passed
        assert found.hint == endpoints.OUTSIDE

    def test_one_that_does_not_answer_is_told(self, world: World) -> None:
        entry(world)
        del world.texts["http://10.0.0.5:80/health/live"]
        assert not world.look(endpoints.look).passed

    def test_without_nginx_nothing_is_asked(self, world: World) -> None:
        assert "No nginx" in world.look(endpoints.look).text


class TestTraffic:
    def test_requests_that_reach_every_instance_pass(self, world: World) -> None:
        deal(world, lambda number: number % 2)
        found = world.look(traffic.look)
        assert found.passed
        assert found.evidence == ("10.0.0.1:80: 8 requests", "10.0.0.2:80: 8 requests")

    def test_an_instance_that_gets_none_is_named(self, world: World) -> None:
        deal(world, lambda number: 0)
        found = world.look(traffic.look)
        assert not found.passed
        assert "10.0.0.2:80: 0 requests" in found.evidence

    def test_who_is_sent_to_tls_is_not_told_that_nobody_asks_the_backend(
        self, world: World
    ) -> None:
        deal(world, lambda number: 0)
        world.texts["http://10.0.0.5:80/health"] = Page(308, "")
        found = world.look(traffic.look)
        assert (found.passed, found.text) == (False, "http://10.0.0.5:80/health answers 308")
        assert found.hint == endpoints.OUTSIDE

    def test_without_a_healthy_backend_it_is_not_passed(self, world: World) -> None:
        entry(world)
        world.consul.instances["backend"] = []
        assert not world.look(traffic.look).passed


class TestErrors:
    @pytest.mark.parametrize(("failed", "well"), [(0, True), (1, True), (2, False)])
    def test_more_than_the_share_that_is_allowed_is_too_much(
        self, world: World, failed: int, well: bool
    ) -> None:
        def ask(url: str, params: Any = None) -> Any:
            asked = params["query"]
            if "histogram" in asked:
                return vector()
            return vector(({}, failed if "5.." in asked else 100))

        world.fetch = ask  # type: ignore[method-assign]
        assert world.look(errors.look).passed is well

    def test_where_no_request_is_counted_nothing_is_known(self, world: World) -> None:
        world.fetch = lambda url, params=None: vector()  # type: ignore[method-assign]
        found = world.look(errors.look)
        assert (found.passed, "counted no request" in found.text) == (False, True)


class TestAlerts:
    def test_the_one_that_always_fires_has_to_arrive(self, world: World) -> None:
        told(world, ALWAYS)
        assert world.look(alerts.look).passed

    def test_any_other_that_fires_is_named(self, world: World) -> None:
        told(world, ALWAYS, "DiskNearlyFull")
        assert world.look(alerts.look).evidence == ("DiskNearlyFull fires",)

    def test_rules_that_are_not_evaluated_are_found(self, world: World) -> None:
        told(world)
        assert "does not" in " ".join(world.look(alerts.look).evidence)

    def test_an_alertmanager_that_has_not_heard_of_it_is_found(self, world: World) -> None:
        told(world, ALWAYS)
        world.pages["http://10.0.0.8:9093/api/v2/alerts"] = []
        assert "has not arrived" in " ".join(world.look(alerts.look).evidence)

    def test_without_an_alertmanager_nobody_would_be_told(self, world: World) -> None:
        told(world, ALWAYS)
        world.consul.instances["alertmanager"] = []
        assert not world.look(alerts.look).passed


class TestTrail:
    def test_an_agent_that_ships_passes(self, world: World) -> None:
        agent(world, seconds=2)
        assert world.look(trail.look).passed

    def test_one_that_is_behind_does_not(self, world: World) -> None:
        agent(world, seconds=301)
        found = world.look(trail.look)
        assert not found.passed
        assert "s3 is 5m" in " ".join(found.evidence)

    def test_one_that_ships_nothing_does_not(self, world: World) -> None:
        agent(world, seconds=None)
        assert "ships no audit log" in " ".join(world.look(trail.look).evidence)

    def test_a_node_without_an_agent_is_named(self, world: World) -> None:
        assert "no agent" in " ".join(world.look(trail.look).evidence)


def entry(world: World) -> None:
    world.consul.instances["nginx"] = [ServiceInstance("e-1", "10.0.0.5", 80, (), "n1")]
    for path in endpoints.PATHS:
        world.texts[f"http://10.0.0.5:80{path}"] = Page(200, "")


def deal(world: World, to: Callable[[int], int]) -> None:
    """Let nginx deal its requests out to two instances."""
    entry(world)
    counts = [0, 0]
    addresses = ["10.0.0.1", "10.0.0.2"]
    world.consul.instances["backend"] = [
        ServiceInstance(f"b-{one}", one, 80, (), "n1") for one in addresses
    ]

    def asked() -> Page:
        counts[to(sum(counts))] += 1
        return Page(200, "")

    def metrics(number: int) -> Callable[[], Page]:
        return lambda: Page(
            200,
            f'http_requests_total{{method="GET",route="/health",status="200"}} {counts[number]}.0\n'
            'http_requests_total{method="GET",route="/health/live",status="200"} 99.0\n',
        )

    world.texts["http://10.0.0.5:80/health"] = asked
    for number, address in enumerate(addresses):
        world.texts[f"http://{address}:80/metrics"] = metrics(number)


def told(world: World, *names: str) -> None:
    world.consul.instances["alertmanager"] = [ServiceInstance("a-1", "10.0.0.8", 9093, (), "n1")]
    world.pages[PROMETHEUS] = vector(*(({"alertname": one}, 1.0) for one in names))
    world.pages["http://10.0.0.8:9093/api/v2/alerts"] = [
        {"labels": {"alertname": one}} for one in names
    ]


def agent(world: World, seconds: float | None) -> None:
    node = world.nomad.nodes.list()[0].name
    sinks = {} if seconds is None else {"s3": {"lag": {"bytes": 1, "seconds": seconds}}}
    document = {
        "at": (NOW - timedelta(seconds=5)).isoformat(),
        "environment": "prod",
        "version": "1",
        "state": "running",
        "check": {"status": "passing"},
        "tasks": {"audit": {"state": "running", "sinks": sinks}},
    }
    world.consul.kv_put(keys.agent(node), json.dumps(document))
    identity = f"flowrex-agent-{node}"
    world.consul.checks["flowrex-agent"] = [
        ServiceCheck(identity, identity, "agent", "passing", "")
    ]
