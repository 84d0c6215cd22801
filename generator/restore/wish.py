"""What a person wants restored: from which backups it comes, and what that takes away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowrex.errors import HardStop
from flowrex.node_requests import Kind
from generator import agent_choice, node_requests
from generator.node_requests import Desk, RequestFailed
from generator.restore import choice, progress
from generator.restore.progress import Source

_PHYSICAL: Kind = "physical_restore"


@dataclass(frozen=True)
class Wish:
    """What is to be restored, and what that takes away.

    Attributes:
        node: whose agent restores.
        backup: the backup's name; from physical backups, the moment.
        source: which backups it comes from.
        database: the database's name.
        sentences: what will be lost, as the agent says it.
        loss: the same for programs.
    """

    node: str
    backup: str
    source: Source
    database: str
    sentences: tuple[str, ...]
    loss: Mapping[str, Any]


def prepare(
    desk: Desk,
    database: str,
    *,
    to: str | None,
    node: str | None,
    source: Source | None = None,
) -> Wish:
    """Ask the agent which backup is meant and what will be lost; nothing is changed.

    Args:
        desk: from where agents are asked.
        database: the environment's.
        to: a backup, a time, or another moment; None: the newest good backup.
        node: whose agent; None: the first that can.
        source: from which backups; None: the most exact that reach what is meant.

    Raises:
        HardStop: there is an unfinished restore, or no backup is good.
    """
    if (unfinished := progress.read(desk.consul, desk.environment)) is not None:
        raise HardStop(unfinished.sentence(), hint=progress.ways_on(desk.environment))
    exact = bool(agent_choice.able(desk.consul, desk.environment, _PHYSICAL, node))
    if source == "physical" or (exact and to is not None):
        chosen = choice.source(
            _listed(desk, node, needed=source is None),
            to,
            reaches_moments=exact,
            wanted=source,
        )
        if chosen == "physical":
            try:
                return _to_moment(desk, database, to=to or "end", node=node)
            except RequestFailed as error:
                reached = error.answer.result.get("error") != "NotFound"
                if source is not None or to is None or not choice.is_time(to) or reached:
                    raise
                # The node's dumps may go further back than its physical backups.
                desk.tell(f"{error.message}. The newest logical backup from before is taken.")
    return _to_backup(desk, database, to=to, node=node, exact=exact)


def _to_moment(desk: Desk, database: str, *, to: str, node: str | None) -> Wish:
    where = agent_choice.choose(desk.consul, desk.environment, _PHYSICAL, node)
    said = node_requests.ask(desk, where, _PHYSICAL, {"to": to, "dry_run": "true"})
    _insist(where, desk.environment, str(said.result.get("database", "")), database)
    sentences = tuple(map(str, said.result.get("sentences", ())))
    return Wish(where, to, "physical", database, sentences, {"to": said.result.get("to")})


def _to_backup(desk: Desk, database: str, *, to: str | None, node: str | None, exact: bool) -> Wish:
    where = agent_choice.choose(desk.consul, desk.environment, "restore", node)
    listed = node_requests.ask(desk, where, "list", {})
    backup = choice.choose(listed.result.get("backups", ()), to)
    _insist(where, desk.environment, str(listed.result.get("database", "")), database)
    said = node_requests.ask(desk, where, "restore", {"name": backup, "dry_run": "true"})
    sentences = [f"Restored from the logical backup {backup}."]
    if to is not None and choice.is_time(to) and not exact:
        sentences.append(
            "It is the newest good one from before that time: no agent restores to the moment "
            "itself, which needs physical backups."
        )
    sentences += map(str, said.result.get("sentences", ()))
    loss = said.result.get("loss", {})
    return Wish(where, backup, "logical", database, tuple(sentences), loss)


def _listed(desk: Desk, node: str | None, *, needed: bool) -> choice.Listed:
    """Return the logical backups, by whose names a person may mean one of them."""
    if not needed or not agent_choice.able(desk.consul, desk.environment, "list", node):
        return ()
    where = agent_choice.choose(desk.consul, desk.environment, "list", node)
    found: choice.Listed = node_requests.ask(desk, where, "list", {}).result.get("backups", ())
    return found


def _insist(node: str, environment: str, named: str, database: str) -> None:
    if named != database:
        raise HardStop(
            f"the agent of {node} keeps backups of the database {named!r}, and {environment} "
            f"has {database!r}",
            hint="Name another with --node.",
        )
