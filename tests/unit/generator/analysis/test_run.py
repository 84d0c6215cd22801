"""A canary is looked at again and again, and what was found decides what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flowrex.errors import DeploymentFailed, ServerUnreachable
from generator.analysis.run import Analyst
from generator.deploy import deploy
from generator.prometheus import Prometheus
from generator.trial import Trial
from tests.unit.generator.analysis.test_judge import RULES
from tests.unit.generator.rolling import Rig, spec, step

Answer = Callable[[str], float | None]


def prometheus(answer: Answer) -> Prometheus:
    """Return one that gives a number for each expression."""

    def fetch(url: str, params: Any = None) -> Any:
        value = answer(params["query"])
        result = [] if value is None else [{"metric": {}, "value": [0, str(value)]}]
        return {"status": "success", "data": {"resultType": "vector", "result": result}}

    return Prometheus("http://p", fetch)


def numbers(errors: float = 0, requests: float = 1000, p95: float = 0.05) -> Answer:
    """Answer for the canary what is given, and for the stable version that all is well."""

    def answer(query: str) -> float | None:
        canary = 'canary="true"' in query
        if "histogram_quantile" in query:
            return p95 if canary else 0.05
        if "5.." in query:
            return errors if canary else 0
        return requests if canary else 1000

    return answer


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.in_service(spec(v="1"))
    return rig


def tried(
    rig: Rig,
    answer: Answer,
    *,
    promote: bool = True,
    guard: Callable[[], None] = lambda: None,
    **rules: Any,
) -> Any:
    """Deploy another version, whose canary is tried."""
    analyst = Analyst(replace(RULES, **rules), lambda: prometheus(answer))
    return deploy(
        rig.watch(deadline_s=1000.0, guard=guard), step(rig.nomad, spec(v="2")),
        promote=False, trial=Trial(analyst, promote),
    )  # fmt: skip


def said(rig: Rig) -> list[str]:
    return [event.text for event in rig.events if event.what == "analysis"]


def test_a_good_one_is_promoted_where_that_is_wanted(rig: Rig) -> None:
    assert tried(rig, numbers()).result == "deployed"
    assert said(rig) == ["promote: as good as the stable one"]


def test_a_good_one_waits_for_a_person_else(rig: Rig) -> None:
    assert tried(rig, numbers(), promote=False).result == "canary"
    assert ("promote", "backend") not in rig.nomad.written


def test_a_bad_one_is_given_up_with_the_numbers(rig: Rig) -> None:
    with pytest.raises(DeploymentFailed) as caught:
        tried(rig, numbers(errors=50))
    assert "errors is 5.00 %, 0.00 % in the stable version" in caught.value.message
    assert ("fail", "backend") in rig.nomad.written
    assert rig.nomad.jobs.versions("backend")[0].spec["Meta"]["v"] == "1", "the stable one is back"


def test_a_bad_one_is_given_up_although_a_leader_is_elected(rig: Rig) -> None:
    tried_to_fail = rig.refuse_to_fail(3)
    with pytest.raises(DeploymentFailed, match="was given up: the canary is worse"):
        tried(rig, numbers(errors=50))
    assert len(tried_to_fail) == 4
    assert not any(one.active for one in rig.nomad.deployments.of_job("backend")[1:])


def test_a_bad_one_that_can_not_be_given_up_is_told_to_be_there_still(rig: Rig) -> None:
    rig.refuse_to_fail(1000)
    with pytest.raises(ServerUnreachable, match="could not be given up") as caught:
        tried(rig, numbers(errors=50))
    assert "flowrexctl fail dev" in (caught.value.hint or "")


@pytest.mark.parametrize("how", ["failed", "cancelled", "successful"])
def test_a_bad_one_that_has_ended_at_the_last_moment_is_what_it_is(rig: Rig, how: str) -> None:
    real_fail = rig.nomad.deployments.fail

    def fail(deployment_id: str) -> None:
        if how == "failed":
            real_fail(deployment_id)
        elif how == "cancelled":
            rig.nomad.add_version(spec(v="theirs"))
        else:
            rig.nomad.promote(deployment_id)
            rig.nomad.tick()
            rig.nomad.tick()
        real_fail(deployment_id)

    rig.nomad.deployments.fail = fail  # type: ignore[method-assign]
    if how == "successful":
        assert tried(rig, numbers(errors=50)).result == "deployed"
        return
    expected = {"failed": "the canary is worse", "cancelled": "superseded"}[how]
    with pytest.raises(DeploymentFailed, match=expected):
        tried(rig, numbers(errors=50))


def test_without_the_lock_a_bad_one_is_left_alone(rig: Rig) -> None:
    class LostError(Exception):
        pass

    looks: list[str] = []

    def guard() -> None:
        # Two looks say that it is worse, with three questions for each of the two versions.
        if len(looks) == 12:
            raise LostError

    def answer(query: str) -> float | None:
        looks.append(query)
        return numbers(errors=50)(query)

    with pytest.raises(LostError):
        tried(rig, answer, guard=guard)
    assert ("fail", "backend") not in rig.nomad.written


def test_a_bad_one_is_given_up_before_the_time_is_over(rig: Rig) -> None:
    before = rig.clock.time
    with pytest.raises(DeploymentFailed):
        tried(rig, numbers(errors=50), duration="10h")
    assert rig.clock.time - before < 600


def test_what_it_answers_while_it_gets_warm_does_not_count(rig: Rig) -> None:
    windows: list[int] = []

    def answer(query: str) -> float | None:
        windows.append(int(query.rpartition("[")[2].partition("s]")[0]))
        return numbers()(query)

    before = rig.clock.time
    assert tried(rig, answer, warm_up="3m", interval="30s", duration="1m").result == "deployed"
    assert rig.clock.time - before >= 180 + 60
    assert max(windows) < 180, "the time that counts begins when it is warm"


def test_one_bad_look_is_no_verdict(rig: Rig) -> None:
    looks = iter([50.0, 0.0])

    def answer(query: str) -> float | None:
        if "5.." in query and 'canary="true"' in query:
            return next(looks, 0.0)
        return numbers()(query)

    assert tried(rig, answer).result == "deployed"
    assert [text.partition(":")[0] for text in said(rig)] == ["fail", "promote"]


def test_where_too_little_is_known_a_person_decides(rig: Rig) -> None:
    assert tried(rig, numbers(requests=5)).result == "canary"
    assert "requests is 5 (at least 100)" in said(rig)[0]


def test_a_prometheus_that_is_away_promotes_nothing(rig: Rig) -> None:
    def away(query: str) -> float | None:
        raise ServerUnreachable("http://p does not answer")

    assert tried(rig, away).result == "canary"
    assert "http://p does not answer" in said(rig)[0]


@pytest.mark.parametrize(
    "data",
    [
        {"resultType": "matrix", "result": [{"metric": {}, "values": [[0, "1"]]}]},
        {"resultType": "string", "result": [0, "up"]},
        {"resultType": "scalar", "result": [0, "0"]},
        {"resultType": "vector", "result": [{"metric": {}, "histogram": [0, {}]}]},
        {},
        [],
    ],
)
def test_a_query_that_gives_no_vector_promotes_nothing(rig: Rig, data: Any) -> None:
    def fetch(url: str, params: Any = None) -> Any:
        if params["query"] == "mine":
            return {"status": "success", "data": data}
        return prometheus(numbers()).fetch(url, params)

    rules = replace(RULES, queries={"own": "mine"})
    outcome = deploy(
        rig.watch(deadline_s=1000.0),
        step(rig.nomad, spec(v="2")),
        promote=False,
        trial=Trial(Analyst(rules, lambda: Prometheus("http://p", fetch)), True),
    )
    assert outcome.result == "canary"
    assert said(rig)[0].startswith("hold: Prometheus is http://p gives ")
    assert "'mine'" in said(rig)[0]


def test_a_canary_that_dies_meanwhile_is_a_failed_deployment(rig: Rig) -> None:
    def dies(query: str) -> float | None:
        for deployment in rig.nomad.deployments.of_job("backend"):
            if deployment.active:
                rig.nomad.fail(deployment.id)
        return numbers()(query)

    with pytest.raises(DeploymentFailed, match="unhealthy allocations"):
        tried(rig, dies)


def test_a_first_deployment_has_nothing_to_compare_with() -> None:
    rig = Rig()
    assert tried(rig, numbers(errors=500)).result == "deployed"
    assert said(rig) == []
