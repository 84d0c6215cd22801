"""`flowrexctl rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flowrex.command import output
from flowrex.errors import UsageError
from generator.cli import question
from generator.cli.changing import lock_wait_option, prepare, reason_option
from generator.cli.options import environment_options
from generator.cli.telling import outcomes_document, outcomes_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generator.deploy import Outcome
    from generator.releases.back import Losses
    from generator.rollback import Target
    from generator.setup import Setup


@click.command("rollback")
@environment_options
@click.argument("words", metavar="[RELEASE] [JOB]...", nargs=-1)
@click.option(
    "--to",
    metavar="VERSION|TAG",
    help="A Nomad version of the job, a version tag, or a release; the last healthy one if absent.",
)
@click.option("--yes", is_flag=True, help="Do not ask before a whole release comes back.")
@click.option(
    "--accept-irreversible",
    is_flag=True,
    help="Go back over a migration that can't be taken back.",
)
@reason_option
@lock_wait_option
@click.pass_context
def command(
    ctx: click.Context,
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    words: tuple[str, ...],
    to: str | None,
    yes: bool,
    accept_irreversible: bool,
    reason: str | None,
    lock_wait: str | None,
) -> None:
    """Bring a release back, or earlier versions of single jobs.

    With RELEASE, an id or a version from `flowrexctl releases ENV`, every job that differs goes
    back to what that release left, those deployed last first. It says what it does and what it
    can't take back, and asks.

    Without RELEASE and --to: where a canary waits, it is given up; else the services that the last
    release changed go back to the last version that Nomad found healthy. A version that differs in
    its count alone is not an earlier one; --to brings it back.

    The version that comes back passes through its own canary, is promoted when that is healthy, and
    is followed to the end. Batch jobs are not rolled back: a migration is undone by a new one.
    Where one ran since that is marked irreversible, the rollback is refused (exit 7) with the
    command that restores the backup from before it. What is not known is an error (exit 2).

    \b
    Examples:
      flowrexctl rollback dev
      flowrexctl rollback prod 1.4.2
      flowrexctl rollback prod 20260301T120000 --reason "case 17" --yes
      flowrexctl rollback prod backend --to 17
    """
    from generator.rollback import choose, go_back

    name, jobs = _release_and_jobs(words)
    if name and to:
        raise UsageError("a release says itself which versions it has; --to is for single jobs")
    with prepare(environment_name, overrides, jobs, lock_wait, reason) as (setup, names):
        version, release_id = to, None
        if name is None:
            targets: Sequence[Target] = choose(setup, names, to=to, chosen=bool(jobs))
            found = _losses(setup, targets)
        else:
            way = _way(setup, names, name)
            targets, version, release_id = way.targets, way.release.version, way.release.id
            found = _losses(setup, targets)
            _tell(setup, release_id, targets, way.stays)
        _tell_losses(setup, found)
        if not accept_irreversible:
            _require_reversible(setup, found, words, to)
        if name is not None and not yes:
            question.confirm(
                f"Roll {environment_name} back?",
                alone="a rollback to a release asks before it changes anything, and there is "
                "nobody to ask",
                hint=f"flowrexctl rollback {environment_name} {name} --yes",
            )
        outcomes = go_back(setup, targets, version, release_id=release_id)
    if as_json:
        output.emit(_document(setup, outcomes, release_id, found), 0)
    else:
        output.show(outcomes_table(outcomes))


def _release_and_jobs(words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Tell a release from the jobs: what is no job's name is a release's, and comes first."""
    from generator.render.catalog import JOBS

    if words and words[0] not in {job.name for job in JOBS}:
        return words[0], words[1:]
    return None, words


def _way(setup: Setup, names: list[str], name: str) -> Any:
    from generator import release
    from generator.releases import find
    from generator.releases.back import way
    from generator.rollback import services

    environment = setup.environment.name
    found = find(release.history(setup.consul, environment), name, environment)
    return way(services(setup, names), found, environment)


def _losses(setup: Setup, targets: Sequence[Target]) -> Losses:
    from generator import release
    from generator.releases.back import losses, with_published

    records = release.history(setup.consul, setup.environment.name)
    return with_published(
        losses(records, targets), setup.consul, setup.environment.postgres.database
    )


def _tell(setup: Setup, release_id: str, targets: Sequence[Target], stays: tuple[str, ...]) -> None:
    output.say(f"{setup.environment.name} goes back to {release_id}:")
    rows = []
    for standing, version in reversed(targets):
        now = standing.current.version if standing.current else "-"
        rows.append(
            (standing.name, now, "gives its canary up" if version is None else version.version)
        )
    output.say(output.table(rows, ("JOB", "VERSION", "GOES BACK TO")))
    for name in stays:
        output.say(f"{name} was not part of it and stays as it is.")


def _tell_losses(setup: Setup, found: Losses) -> None:
    for sentence in found.sentences():
        output.say(sentence)
    command = found.restore(setup.environment.name, setup.environment.postgres.database)
    if command:
        output.say(f"The backup from before: {command}")


def _require_reversible(
    setup: Setup, found: Losses, words: tuple[str, ...], to: str | None
) -> None:
    from generator.releases.back import require_reversible

    environment = setup.environment
    typed = ["flowrexctl", "rollback", environment.name, *words, *(("--to", to) if to else ())]
    require_reversible(found, environment.name, environment.postgres.database, " ".join(typed))


def _document(
    setup: Setup, outcomes: Sequence[Outcome], release_id: str | None, found: Losses
) -> dict[str, Any]:
    return {
        **outcomes_document(setup.environment.name, outcomes),
        "release": release_id,
        "migrations_since": found.migrations,
        "backup": found.backup or None,
        "migrations_lacking": list(found.lacking),
    }
