"""What the verbs that change an environment have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowrex.command import output
from generator.cli import context
from generator.cli.options import environment_options, is_duration
from generator.cli.telling import Teller, outcomes_document, outcomes_table

if TYPE_CHECKING:
    from generator.deploy import Outcome
    from generator.environment import Environment
    from generator.postdeploy.checklist import Validator
    from generator.setup import Setup

F = TypeVar("F", bound=Callable[..., Any])

lock_wait_option = click.option(
    "--lock-wait",
    metavar="DURATION",
    callback=is_duration,
    help="Wait so long for another deployment's lock, for example 5m.",
)


reason_option = click.option(
    "--reason", metavar="TEXT", help="Why; it is kept in the release's record."
)


def changing_options(command: F) -> F:
    """Give a verb ENV, [JOB]..., --set, --json, --reason and --lock-wait."""
    jobs = click.argument("jobs", metavar="[JOB]...", nargs=-1)
    decorated: F = environment_options(jobs(reason_option(lock_wait_option(command))))
    return decorated


@contextmanager
def prepare(
    environment_name: str,
    overrides: tuple[str, ...],
    jobs: tuple[str, ...],
    lock_wait: str | None,
    reason: str | None,
    *,
    hooks_may_refuse: bool = False,
) -> Iterator[tuple[Setup, list[str]]]:
    """Load the environment and give what a changing verb needs, and the jobs in order.

    Hooks may stand in the way only where something new gets into service.
    """
    from flowrex.duration import seconds
    from generator import access, around, origin
    from generator.render import select
    from generator.setup import Setup

    environment = context.load_environment(environment_name, overrides)
    names = [job.name for job in select(environment, jobs)]
    teller = Teller()
    root = context.project_root()
    setup = Setup(
        environment,
        access.nomad(environment),
        access.consul(environment),
        teller,
        seconds(lock_wait or environment.deploy.lock_wait),
        origin.of_project(root, reason, migrates=False),
        around=around.of_environment(environment, root, teller, hooks_may_refuse=hooks_may_refuse),
    )
    try:
        yield setup, names
    finally:
        teller.clear()


def validator(setup: Setup) -> Validator:
    """Return what looks at the checks when all is deployed."""
    from datetime import UTC, datetime

    from generator.postdeploy.checklist import Validator
    from generator.postdeploy.ground import ground_of

    since, root = datetime.now(UTC), context.project_root()
    return Validator(
        lambda: ground_of(setup.environment, root, setup.nomad, setup.consul, since=since)
    )


def finish(setup: Setup, outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """Print what became of each job."""
    if as_json:
        output.emit(outcomes_document(setup.environment.name, outcomes), 0)
    else:
        output.show(outcomes_table(outcomes))


@contextmanager
def recorded_push(environment: Environment, version: str) -> Iterator[dict[str, Any]]:
    """Keep a record of what is pushed to where an environment takes it from.

    Args:
        environment: the settings.
        version: of what is pushed.

    Yields:
        A mapping for what came of it.

    Raises:
        ServerUnreachable: Consul, which keeps it, is away; nothing is pushed then.
    """
    from generator import access, audit

    consul = access.consul(environment)
    with audit.recorded(consul, environment.name, "build", "", version=version) as came:
        yield came
