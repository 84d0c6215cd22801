"""`flowrexctl audit`: the audit trail as it lies in the bucket."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowrex.command import output
from flowrex.errors import ServerUnreachable
from generator.cli import context
from generator.cli.options import environment_options

if TYPE_CHECKING:
    from flowrex.audit.verify import Tip
    from generator.environment.model import Environment
    from generator.trail.bucket import Trail
    from generator.trail.query import Query
    from generator.trail.redact import Redaction
    from generator.trail.verify import Verdict

_BROKEN = 7
_UNASKED = ServerUnreachable.exit_status
_SHOWN = 20
F = TypeVar("F", bound=Callable[..., Any])


@click.group("audit")
def command() -> None:
    """Prove the audit trail, search it and export it.

    The bucket is read with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a local cluster has a key
    of its own.

    \b
    Examples:
      flowrexctl audit verify prod
      flowrexctl audit search prod --user desk-7 --since 24h
      flowrexctl audit export prod --user desk-7 --output desk-7.jsonl
    """


@command.command("verify")
@environment_options
@click.option("--since", metavar="TIME", help="Only what was shipped since: a time, or 24h, 7d.")
@click.option("--node", "nodes", metavar="NODE", multiple=True, help="Only this node's segments.")
def verify_command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    since: str | None,
    nodes: tuple[str, ...],
) -> int:
    """Prove that nothing was removed, reordered or changed; name the first break.

    Reads every byte of every segment. What the agents say in Consul of how far they have come is
    compared, so that a missing end is found, too. Nodes without an agent are named: nothing but
    their own segments tells where these end.

    \b
    Exit status:
      0  the trail is whole
      6  what is there is whole, but the agents could not be asked where it ends
      7  it is not: docs/runbooks/audit-chain.md says what to do

    \b
    Examples:
      flowrexctl audit verify prod
      flowrexctl audit verify prod --since 24h --node web-1
    """
    from generator.trail.verify import verify

    environment, trail = _trail(environment_name, overrides)
    tips, unasked = _tips(environment)
    progress = output.Progress()
    try:
        verdict = verify(
            trail,
            since=_moment(since),
            nodes=nodes,
            tips=tips,
            agents_problem=unasked,
            progress=lambda done, of: progress(f"{done} of {of} segments …"),
        )
    finally:
        progress.clear()
    status = _BROKEN if verdict.breaks else _UNASKED if unasked else 0
    if as_json:
        output.emit(verdict.document(), status)
    else:
        _show_verdict(verdict)
    return status


def _query_options(function: F) -> F:
    for option in reversed(
        (
            click.option("--user", metavar="NAME", default="", help="Records of this actor."),
            click.option("--request-id", metavar="ID", default="", help="Records of this request."),
            click.option("--since", metavar="TIME", help="Not before: a time, or 24h, 7d."),
            click.option("--until", metavar="TIME", help="Before: a time, or 24h, 7d."),
            click.option("--path", metavar="PREFIX", default="", help="Paths that begin so."),
            click.option("--kind", metavar="KIND", default="", help="request, refusal, flatten, …"),
            click.option(
                "--redactions",
                metavar="FILE",
                type=click.Path(exists=True, dir_okay=False, path_type=Path),
                help="Hide the fields and persons that this list names (docs/audit.md).",
            ),
        )
    ):
        function = option(function)
    return function


@command.command("search")
@environment_options
@_query_options
def search_command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    redactions: Path | None,
    **asked: str | None,
) -> None:
    """Show the records of a person, a request or a time, in their order.

    With --json, one record a line.

    \b
    Examples:
      flowrexctl audit search prod --request-id 8f14e45fceea167a
      flowrexctl audit search prod --user desk-7 --since 2026-03-01 --until 2026-03-02
    """
    _, trail = _trail(environment_name, overrides)
    query, redaction = _query(asked), _redaction(redactions)
    records = sorted_records(trail, query, redaction)
    if as_json:
        for record in records:
            output.emit_line(record)
        return
    rows = [
        (
            record.get("time", "-"),
            record.get("kind", "-"),
            record.get("actor") or "-",
            f"{record.get('method', '')} {record.get('path', '')}".strip() or "-",
            record.get("status") or "-",
            record.get("source") or "-",
            record.get("request_id") or "-",
        )
        for record in records
    ]
    headers = ("TIME", "KIND", "ACTOR", "REQUEST", "STATUS", "SOURCE", "REQUEST ID")
    output.show(output.table(rows, headers))


@command.command("export")
@environment_options
@_query_options
@click.option(
    "--output",
    "target",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to; it must not be there yet, and only its owner can read it.",
)
def export_command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    redactions: Path | None,
    target: Path,
    **asked: str | None,
) -> None:
    """Write the records of a person, a request or a time to a file, as JSON lines.

    \b
    Examples:
      flowrexctl audit export prod --user desk-7 --output desk-7.jsonl
      flowrexctl audit export prod --since 30d --redactions redactions.yaml --output march.jsonl
    """
    from flowrex.errors import UsageError
    from flowrex.files import write_atomic

    if target.exists():
        raise UsageError(f"{target} is there already", hint="Name another file.")
    _, trail = _trail(environment_name, overrides)
    records = sorted_records(trail, _query(asked), _redaction(redactions))
    lines = [json.dumps(record, separators=(",", ":")) + "\n" for record in records]
    write_atomic(target, "".join(lines), mode=0o600)
    if as_json:
        output.emit({"file": str(target), "records": len(lines)}, 0)
    else:
        output.show(f"{target}  {len(lines)} records")


@command.command("quarantine")
@environment_options
@click.option("--since", metavar="TIME", help="Only what was shipped since: a time, or 24h, 7d.")
def quarantine_command(
    environment_name: str, overrides: tuple[str, ...], as_json: bool, since: str | None
) -> None:
    """Show the lines that were no records, byte for byte, and why.

    \b
    Examples:
      flowrexctl audit quarantine prod --since 24h
    """
    from generator.trail.query import quarantined

    _, trail = _trail(environment_name, overrides)
    for held in trail.each(
        trail.segments(since=_moment(since)), lambda _, pieces: quarantined(pieces)
    ):
        for one in held:
            if as_json:
                output.emit_line(one)
            else:
                where = f"{one['node']} {one['path']} at {one['offset']}"
                output.show(
                    f"{where}: {one['reason']}, {one['length']} bytes: {one['text'][:200]!r}"
                )


def sorted_records(trail: Trail, query: Query, redaction: Redaction) -> list[dict[str, Any]]:
    """Return what is asked for, by time, with what is to be hidden hidden."""
    from generator.trail.query import by_time, found

    def read(_: str, pieces: Iterator[bytes]) -> list[dict[str, Any]]:
        return found(query, pieces)

    progress = output.Progress()
    entries = trail.segments(since=query.since)
    records: list[dict[str, Any]] = []
    try:
        for done, some in enumerate(trail.each(entries, read), 1):
            records += some
            progress(f"{done} of {len(entries)} segments, {len(records)} records …")
    finally:
        progress.clear()
    return [redaction.apply(record) for record in sorted(records, key=by_time)]


def _trail(name: str, overrides: tuple[str, ...]) -> tuple[Environment, Trail]:
    from generator.artifact.push import store_of
    from generator.trail.bucket import Trail

    environment = context.load_environment(name, overrides)
    return environment, Trail(store_of(environment, os.environ), environment.s3.logs_bucket)


def _tips(environment: Environment) -> tuple[dict[str, Tip], str]:
    """Return how far the agents say they have come, or why they can't be asked."""
    from flowrex import keys
    from generator import access
    from generator.trail.verify import tips_of

    try:
        entries = access.consul(environment).kv_list(keys.AGENTS)
    except ServerUnreachable as error:
        return {}, error.message
    return tips_of(entries, environment.name), ""


def _query(asked: dict[str, str | None]) -> Query:
    from generator.trail.query import Query

    return Query(
        user=asked["user"] or "",
        request_id=asked["request_id"] or "",
        since=_moment(asked["since"]),
        until=_moment(asked["until"]),
        path=asked["path"] or "",
        kind=asked["kind"] or "",
    )


def _redaction(path: Path | None) -> Redaction:
    from generator.trail.redact import Redaction, load

    return load(path) if path else Redaction()


def _moment(text: str | None) -> datetime | None:
    from generator.trail.moment import moment

    return moment(text, datetime.now(UTC)) if text else None


def _show_verdict(verdict: Verdict) -> None:
    for one in verdict.breaks[:_SHOWN]:
        place = f"{one.node} segment {one.number}" if one.number else one.node
        output.show(click.style("broken: ", fg="red", bold=True) + f"{place}: {one.problem}")
        if one.key:
            output.show(f"        {one.key}")
    if len(verdict.breaks) > _SHOWN:
        output.show(f"… and {len(verdict.breaks) - _SHOWN} more")
    if verdict.agents_problem:
        output.say(
            f"The agents could not be asked how far they have come: {verdict.agents_problem}"
        )
        output.say("So a missing end of the trail would not be seen.")
    elif verdict.not_compared:
        output.show(f"No agent says where they end: {', '.join(verdict.not_compared)}")
    if not verdict.segments and not verdict.breaks:
        if verdict.agents_problem:
            output.show("There is no segment.")
            return
        output.show("There is no segment, and no agent says that it has shipped one.")
        return
    nodes = ", ".join(f"{node} up to {number}" for node, number in verdict.nodes.items())
    output.show(
        f"{verdict.segments} segments, {verdict.lines} lines "
        f"({verdict.quarantined} in quarantine, {verdict.unchained} of no chain); {nodes or 'none'}"
    )
    if not verdict.breaks and verdict.agents_problem:
        output.show("What is there is whole; whether that is all is not known.")
    elif not verdict.breaks:
        output.show(click.style("The trail is whole.", fg="green"))
