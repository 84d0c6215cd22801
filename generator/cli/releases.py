"""`flowrexctl releases`: what was released, what is in it, and how two differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowrex.command import output
from generator.cli import context
from generator.cli.options import environment_options
from generator.cli.telling import styled

if TYPE_CHECKING:
    from generator.environment import Environment
    from generator.lock import Holder
    from generator.release import Release

_release_argument = click.argument("name", metavar="RELEASE")


class _Listing(click.Group):
    """A group that lists where no verb is named: `releases prod` is `releases list prod`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that is named, else `list`."""
        if args and args[0] not in self.commands:
            return "list", self.commands["list"], args
        return super().resolve_command(ctx, args)


@click.group("releases", cls=_Listing)
def command() -> None:
    """List what was released, show what is in it, or compare two.

    `flowrexctl releases ENV` lists. A RELEASE is named by its id, by the beginning of one, or by
    a version, which means the newest release of that version that is done. What is kept is the
    newest `release.history` records, and Nomad keeps the job versions that they name.

    \b
    Examples:
      flowrexctl releases prod
      flowrexctl releases show prod 1.4.0
      flowrexctl releases diff prod 1.3.0 1.4.0
    """


@command.command("list")
@environment_options
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Only the newest N.")
def list_(
    environment_name: str, overrides: tuple[str, ...], as_json: bool, limit: int | None
) -> None:
    """List ENV's releases, the newest first, and among them each restore of the database.

    OUTCOME is how it ended: done, canary (it waits), promoted or given up, failed, stale,
    interrupted, refused, unreachable, lock-lost, error, running, or died.

    \b
    Examples:
      flowrexctl releases prod
      flowrexctl releases list prod --limit 5
      flowrexctl releases prod --json | jq -r '.releases[0].id'
    """
    from generator.releases import view

    _, records, holder = _read(environment_name, overrides)
    shown = records[:limit]
    if as_json:
        documents = [view.document(one, records, holder) for one in shown]
        output.emit({"environment": environment_name, "releases": documents}, 0)
    elif not shown:
        output.show(f"No release of {environment_name} is recorded.")
    else:
        output.show(output.table([view.row(one, records, holder) for one in shown], view.COLUMNS))


@command.command("show")
@environment_options
@_release_argument
def show(environment_name: str, overrides: tuple[str, ...], as_json: bool, name: str) -> None:
    """Show everything that is known of a release.

    KEPT says whether Nomad still has that version, so that it can come back.

    \b
    Examples:
      flowrexctl releases show prod 1.4.0
      flowrexctl releases show prod 20260301T120000 --json
    """
    from generator.releases import find, view

    environment, records, holder = _read(environment_name, overrides)
    found = find(records, name, environment_name)
    kept = _kept(environment, found)
    if as_json:
        output.emit({**view.document(found, records, holder), "kept": kept}, 0)
        return
    for sentence in view.sentences(found, records, holder):
        output.show(sentence)
    rows = view.stands(found, kept)
    if rows:
        output.show("")
        output.show(output.table(rows, ("JOB", "RESULT", "VERSION", "RELEASE", "KEPT", "CODE")))


@command.command("diff")
@environment_options
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
def diff(
    environment_name: str, overrides: tuple[str, ...], as_json: bool, left: str, right: str
) -> None:
    """Show what changed from release A to release B, job by job.

    The specs are compared by Nomad, for as long as it keeps both; secrets are not shown.

    \b
    Examples:
      flowrexctl releases diff prod 1.3.0 1.4.0
      flowrexctl releases diff prod 1.3.0 1.4.0 --json
    """
    from generator import access, planview
    from generator.releases import compare, find, view

    environment, records, _ = _read(environment_name, overrides)
    old, new = (find(records, name, environment_name) for name in (left, right))
    found = compare.compare(access.nomad(environment), old, new)
    if as_json:
        jobs = compare.documents(found, planview.change_document)
        between = {"from": old.id, "to": new.id}
        output.emit({"environment": environment_name, **between, "jobs": jobs}, 0)
        return
    output.show(f"{old.id} → {new.id}")
    output.show(styled([*view.difference_lines(found)]))


def _read(
    name: str, overrides: tuple[str, ...]
) -> tuple[Environment, list[Release], Holder | None]:
    from generator import access, lock, release

    environment = context.load_environment(name, overrides)
    consul = access.consul(environment)
    # The holder first: a run that ends in between has its last record then.
    holder = lock.holder(consul, environment.name)
    return environment, release.history(consul, environment.name), holder


def _kept(environment: Environment, found: Release) -> dict[str, bool]:
    """Return whether Nomad still has each job's version; nothing where it does not answer."""
    from flowrex.errors import NotFound, ServerUnreachable
    from generator import access
    from generator.releases import compare

    nomad = access.nomad(environment)
    kept = {}
    for name, stand in found.stands.items():
        try:
            kept[name] = compare.kept(nomad.jobs.versions(name), stand) is not None
        except NotFound:
            kept[name] = False
        except ServerUnreachable as error:
            output.say(f"Whether Nomad keeps these versions is not known: {error.message}")
            return {}
    return kept
