"""Jobs begin when what they rely on is in service, and at once where nothing is between them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from flowrex.errors import DeploymentFailed, ServerUnreachable
from generator.deploy import Outcome, Result, Step
from generator.order import Progress, Stopped, carry_out
from generator.render.catalog import JOBS, needs
from tests.unit.generator.rolling import rendered, spec

NEEDS = {"backend": ("migrate",), "worker": ("migrate",), "nginx": ("backend",)}
Act = Callable[[Step, Callable[[], None]], Outcome]


def progress(*names: str) -> Progress:
    return Progress([Step(rendered(spec(name)), 0, None, "create") for name in names], NEEDS)


def outcome(step: Step, result: Result = "deployed") -> Outcome:
    return Outcome(step.job.name, result, 0, None)


def run(progress: Progress, act: Act) -> list[str]:
    """Carry out, and return the jobs in the order in which they ended."""
    ended: list[str] = []
    carry_out(progress, act, lambda step, _: ended.append(step.job.name))
    return ended


def test_each_job_begins_after_what_it_relies_on() -> None:
    begun: list[str] = []

    def act(step: Step, go_on: Callable[[], None]) -> Outcome:
        begun.append(step.job.name)
        return outcome(step)

    ended = run(progress("migrate", "backend", "nginx"), act)
    assert begun == ended == ["migrate", "backend", "nginx"]


def test_what_does_not_rely_on_each_other_is_under_way_at_the_same_time() -> None:
    both = threading.Barrier(2)

    def act(step: Step, go_on: Callable[[], None]) -> Outcome:
        if step.job.name != "migrate":
            both.wait(timeout=10)  # broken, were they one after the other
        return outcome(step)

    assert sorted(run(progress("migrate", "backend", "worker"), act)) == [
        "backend", "migrate", "worker",
    ]  # fmt: skip


def test_what_is_not_in_the_run_is_not_waited_for() -> None:
    assert run(progress("nginx"), lambda step, _: outcome(step)) == ["nginx"]


def test_a_canary_that_waits_holds_up_what_relies_on_it_and_nothing_else() -> None:
    todo = progress("migrate", "backend", "worker", "nginx")

    def act(step: Step, go_on: Callable[[], None]) -> Outcome:
        return outcome(step, "canary" if step.job.name == "backend" else "deployed")

    run(todo, act)
    assert [one.job for one in todo.ended()] == ["migrate", "backend", "worker"]
    assert [one.job.name for one in todo.pending()] == ["nginx"]
    assert todo.error() is None


def test_after_a_failure_nothing_is_begun_and_what_is_under_way_is_followed_to_its_end() -> None:
    todo = progress("migrate", "backend", "worker", "nginx")
    failed = threading.Event()

    def act(step: Step, go_on: Callable[[], None]) -> Outcome:
        if step.job.name == "backend":
            failed.set()
            raise DeploymentFailed("backend failed")
        if step.job.name == "worker":
            assert failed.wait(timeout=10)
            go_on()  # it is not told to stop
        return outcome(step)

    assert run(todo, act) == ["migrate", "worker"]
    assert [one.job.name for one in todo.pending()] == ["nginx"]
    assert str(todo.error()) == "backend failed"


def test_of_two_failures_the_second_is_told_as_well() -> None:
    both = threading.Barrier(2)

    def act(step: Step, go_on: Callable[[], None]) -> Outcome:
        both.wait(timeout=10)
        raise DeploymentFailed(f"{step.job.name} failed", hint="Look.")

    todo = progress("backend", "worker")
    run(todo, act)
    error = todo.error()
    assert isinstance(error, DeploymentFailed)
    assert (error.message, error.hint) == ("backend failed", "Look.\nAlso: worker failed")


def test_ctrl_c_ends_the_run_and_stops_what_follows_a_job() -> None:
    follows, stopped = threading.Event(), threading.Event()

    def act(step: Step, go_on: Callable[[], None]) -> Outcome:
        if step.job.name == "backend":
            assert follows.wait(timeout=10)
            return outcome(step)
        follows.set()
        try:
            while True:
                go_on()
        except Stopped:
            stopped.set()
            raise

    def interrupted(step: Step, result: Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(progress("backend", "worker"), act, interrupted)
    assert stopped.is_set()


def test_a_record_that_cant_be_written_ends_the_run() -> None:
    def ended(step: Step, result: Outcome) -> None:
        raise ServerUnreachable("Consul does not answer")

    todo = progress("migrate", "backend")
    with pytest.raises(ServerUnreachable):
        carry_out(todo, lambda step, _: outcome(step), ended)
    assert [one.job.name for one in todo.pending()] == ["backend"]


class TestTheCatalogsOrder:
    def test_each_job_relies_on_those_before_it(self) -> None:
        names = [job.name for job in JOBS]
        for position, job in enumerate(JOBS):
            assert set(job.after + job.after_canary) <= set(names[:position]), job.name

    def test_a_worker_starts_beside_the_first_backend_but_after_a_canary(self) -> None:
        assert needs([])["worker"] == ("migrate",)
        assert needs(["backend"])["worker"] == ("migrate", "backend")

    def test_what_watches_waits_for_nothing_that_it_can_do_without(self) -> None:
        assert {name: needs([])[name] for name in ("prometheus", "postgres-exporter")} == {
            "prometheus": (),
            "postgres-exporter": (),
        }
        assert needs([])["nginx-exporter"] == ("nginx",)
