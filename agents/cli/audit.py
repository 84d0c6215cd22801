"""`flowrex-agent audit …`."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agents.cli.options import config_option, json_option
from flowrex.command.output import Progress, emit, show, table

if TYPE_CHECKING:
    from agents.context import Context

_BROKEN = 7


@click.group("audit")
def command() -> None:
    """Show how far the audit log is shipped, and prove what was.

    \b
    Examples:
      flowrex-agent audit status
      flowrex-agent audit verify
      flowrex-agent audit retention
    """


@command.command("status")
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """Show how far behind each sink is, and each file that is.

    Leaves with 6 where no agent answers.

    \b
    Examples:
      flowrex-agent audit status
    """
    from agents import local
    from agents.settings import load
    from flowrex.errors import NotFound

    told = local.status(load(config))["tasks"].get("audit")
    if told is None:
        raise NotFound(
            "the agent that runs here ships no audit log", hint="audit.enabled switches it on."
        )
    if as_json:
        emit(told, 0)
        return
    show(f"{told['files']} files open, {told['truncated']} were cut off")
    rows = [_row(name, one) for name, one in told["sinks"].items()]
    show(table(rows, ("SINK", "SEGMENT", "BEHIND", "SINCE", "QUARANTINED", "LOST", "PROBLEM")))
    for name, one in told["sinks"].items():
        for path, size in one["lag"]["files"].items():
            show(f"{name}: {size} bytes of {path}")
        for path, size in one["lost_files"].items():
            show(click.style("lost: ", fg="red") + f"{size} bytes of {path}, for {name}")
    for path, reason in told["refused_files"].items():
        show(click.style("can't be read: ", fg="red") + f"{path}: {reason}")


def _row(name: str, sink: dict[str, Any]) -> tuple[object, ...]:
    tip, lag = sink["tip"], sink["lag"]
    return (
        name,
        tip["number"] if tip else "not known yet",
        f"{lag['bytes']} bytes",
        f"{lag['seconds']} s",
        sink["quarantined"],
        f"{sink['lost_bytes']} bytes",
        click.style(sink["problem"], fg="red") if sink["problem"] else "-",
    )


@command.command("verify")
@config_option
@json_option
@click.pass_context
def verify(ctx: click.Context, config: Path, as_json: bool) -> None:
    """Prove that what this node has shipped is whole; leaves with 7 where it is not.

    Reads every byte of every segment of this node. `flowrexctl audit verify` does it for all.

    \b
    Examples:
      flowrex-agent audit verify
    """
    from agents.cursor import CursorDamaged, load
    from flowrex.audit.proof import Break, Proof, examine
    from flowrex.audit.segment import SUFFIX, prefix
    from flowrex.audit.verify import Tip, join

    context = _context(config)
    client, bucket = context.s3(), context.settings.s3.logs_bucket
    try:
        cursor = load(context.state("audit") / "s3" / "cursor")
    except CursorDamaged:
        cursor = None  # it is made anew when the agent starts
    results: list[Proof | Break] = []
    progress = Progress()
    try:
        for entry in client.list(bucket, prefix(context.node)):
            if entry.key.endswith(SUFFIX):
                with client.stream(bucket, entry.key) as pieces:
                    results.append(examine(entry.key, pieces))
                progress(f"{len(results)} segments …")
    finally:
        progress.clear()
    proofs = [one for one in results if isinstance(one, Proof)]
    tips = {context.node: Tip(cursor.number, cursor.digest)} if cursor and cursor.number else {}
    breaks = sorted([one for one in results if isinstance(one, Break)] + join(proofs, tips=tips))
    if as_json:
        found = {"segments": len(results), "breaks": [one.__dict__ for one in breaks]}
        emit(found, _BROKEN if breaks else 0)
    else:
        for one in breaks:
            show(f"segment {one.number}: {one.problem} {one.key}")
        show(f"{len(results)} segments, " + (f"{len(breaks)} breaks" if breaks else "all whole"))
    if breaks:
        ctx.exit(_BROKEN)


@command.command("retention")
@config_option
@json_option
def retention(config: Path, as_json: bool) -> None:
    """Show what would be removed or moved now, and remove nothing: the running agent does that.

    \b
    Examples:
      flowrex-agent audit retention
    """
    from agents.audit.parts import places
    from agents.audit.retention import find

    context = _context(config)
    rules = context.settings.audit.kept()
    chosen = find(places(context), context.node, rules, context.clock.now())
    if as_json:
        segments = [{**one.__dict__, "modified": one.modified.isoformat()} for one in chosen]
        emit({"segments": segments}, 0)
        return
    count, size = 0, 0
    for one in chosen:
        age = datetime.now(UTC) - one.modified
        show(f"{'move' if one.move else 'remove'}  {one.key}  {age.days} days old")
        count, size = count + 1, size + one.size
    show(f"{count} segments, {size} bytes")


def _context(config: Path) -> Context:
    from agents.clock import SystemClock
    from agents.context import Context
    from agents.credentials.clients import Clients
    from agents.credentials.files import Files
    from agents.settings import load

    settings = load(config)
    clients = Clients(settings, Files.of(os.environ, settings.credentials_dir), SystemClock())
    return Context(
        settings=settings,
        node=settings.node or socket.gethostname(),
        consul=clients.consul,
        vault=clients.vault,
        s3=clients.s3,
    )
