"""A node is emptied where nothing is lost by it, and waited for until all is well elsewhere."""

from __future__ import annotations

import pytest

from flowrex.consul import ServiceCheck, ServiceInstance
from flowrex.errors import DeploymentFailed, HardStop, UsageError
from flowrex.nomad import Allocation, Node
from flowrex.nomad.jobs import Submitted
from generator import drain
from tests.unit.generator.rolling import Rig, spec, step

NAMES = ("migrate", "backend", "nginx")


@pytest.fixture
def rig() -> Rig:
    """Two nodes, the second one still empty, and a backend that passes its checks."""
    rig = Rig()
    rig.clock.step = 0.01
    rig.in_service(spec())
    rig.nomad.nodes.add("n2")
    checks(rig, passing=2)
    return rig


def checks(rig: Rig, *, passing: int, of: int = 2) -> None:
    """Let Consul know so many instances of the backend, and so many that pass."""
    rig.consul.instances["backend"] = [
        ServiceInstance(f"b{number}", "10.0.0.1", number, (), "n1") for number in range(of)
    ]
    said = ["passing"] * passing + ["critical"] * (of - passing)
    rig.consul.checks["backend"] = [
        ServiceCheck(f"b{number}", "ready", "ready", status, "")
        for number, status in enumerate(said)
    ]


def node(rig: Rig, name: str = "n1") -> Node:
    return next(one for one in rig.nomad.nodes.list() if one.name == name)


def emptied(rig: Rig, name: str = "n1", *, deadline_s: int = 100) -> drain.Drained:
    # Time passes in Nomad whenever somebody waits.
    sleep = rig.clock.sleep

    def passing(seconds: float) -> None:
        rig.nomad.tick()
        sleep(seconds)

    rig.clock.sleep = passing  # type: ignore[method-assign]
    return drain.drain(rig.watch(), node(rig, name), NAMES, deadline_s=deadline_s, system=False)


def test_ctrl_c_says_that_the_drain_stands(rig: Rig) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    rig.clock.sleep = interrupted  # type: ignore[method-assign]
    with pytest.raises(drain.Interrupted):
        drain.drain(rig.watch(), node(rig), NAMES, deadline_s=100, system=False)
    assert not node(rig).eligible


def test_without_the_lock_nothing_is_drained(rig: Rig) -> None:
    class LostError(Exception):
        pass

    real_of_job, asked = rig.nomad.allocations.of_job, list[str]()

    def of_job(job_id: str) -> list[Allocation]:
        asked.append(job_id)
        return real_of_job(job_id)

    def guard() -> None:
        # The last question before it: where the job's allocations are, for the second time.
        if len(asked) > 1:
            raise LostError

    rig.nomad.allocations.of_job = of_job  # type: ignore[method-assign]
    with pytest.raises(LostError):
        drain.drain(rig.watch(guard=guard), node(rig), ("backend",), deadline_s=9, system=False)
    assert node(rig).eligible


def test_what_ran_there_runs_elsewhere_and_the_node_takes_nothing(rig: Rig) -> None:
    assert emptied(rig).moved == {"backend": 2}
    live = [one for one in rig.nomad.allocations.of_job("backend") if one.live]
    assert [one.node for one in live] == ["n2", "n2"]
    assert not node(rig).eligible
    said = [event.text for event in rig.events]
    assert said[0] == "n1 is drained: 2 of backend to move"
    assert said[-1] == "n1 is empty, and what ran there is healthy"


def test_it_is_given_back(rig: Rig) -> None:
    emptied(rig)
    rig.nomad.jobs.register(spec("agent", kind="system"), expected_index=0)
    rig.nomad.written.clear()
    drain.give_back(rig.watch(), node(rig), ("backend", "agent", "absent"))
    assert node(rig).eligible
    assert rig.nomad.written == [("evaluate", "agent")], "Nomad looks at no system job by itself"


def test_an_empty_node_is_drained_at_once(rig: Rig) -> None:
    assert emptied(rig, "n2").moved == {}


def test_while_a_canary_waits_it_is_refused(rig: Rig) -> None:
    from generator.deploy import deploy

    deploy(rig.watch(), step(rig.nomad, spec(v="2")), promote=False)
    with pytest.raises(HardStop, match="backend: a deployment is on its way"):
        emptied(rig)
    assert node(rig).eligible


def test_the_last_node_is_not_emptied(rig: Rig) -> None:
    rig.nomad.nodes.drain(node(rig, "n2").id, deadline_s=1)
    with pytest.raises(HardStop, match="the only node of the pool default"):
        emptied(rig)
    assert node(rig).eligible


def test_what_does_not_get_healthy_elsewhere_is_told_and_the_drain_stands(rig: Rig) -> None:
    checks(rig, passing=1)
    with pytest.raises(DeploymentFailed) as caught:
        emptied(rig, deadline_s=10)
    assert "backend: 1 of 2 instances are passing" in caught.value.message
    assert "flowrexctl drain dev n1 --end" in (caught.value.hint or "")
    assert not node(rig).eligible


def test_what_has_no_place_elsewhere_is_told(rig: Rig) -> None:
    moves = rig.nomad.nodes.migrate
    rig.nomad.nodes.migrate = lambda: None  # type: ignore[method-assign]
    with pytest.raises(DeploymentFailed, match="2 of backend still runs on it"):
        emptied(rig, deadline_s=10)
    rig.nomad.nodes.migrate = moves  # type: ignore[method-assign]


class TestFinding:
    def test_by_name_and_by_the_beginning_of_the_id(self, rig: Rig) -> None:
        nomad = rig.watch().nomad
        assert drain.find(nomad, "n2") == node(rig, "n2")
        assert drain.find(nomad, node(rig, "n2").id[:18]) == node(rig, "n2")

    def test_an_unknown_one_names_the_nearest(self, rig: Rig) -> None:
        rig.nomad.nodes.add("node-3")
        with pytest.raises(UsageError) as caught:
            drain.find(rig.watch().nomad, "nod-3")
        assert caught.value.hint == "Did you mean 'node-3'?"

    def test_one_that_may_be_two_is_refused(self, rig: Rig) -> None:
        with pytest.raises(UsageError, match="more than one node"):
            drain.find(rig.watch().nomad, "")


def test_the_node_of_a_submission_is_the_first_that_takes_any(rig: Rig) -> None:
    rig.nomad.nodes.drain(node(rig).id, deadline_s=1)
    submitted = rig.nomad.jobs.register(spec("nginx", canary=0), expected_index=0)
    assert isinstance(submitted, Submitted)
    rig.nomad.tick()
    assert {one.node for one in rig.nomad.allocations.of_job("nginx")} == {"n2"}
