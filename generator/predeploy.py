"""The backup before a deployment: taken, read again, and only then counted on.

A release whose migrations turn out to be wrong is taken back with it. Without it nothing is begun,
unless a person says why it may be left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowrex.errors import FlowrexError, HardStop, ServerUnreachable
from generator import agent_choice, node_requests
from generator.deploy import Step
from generator.node_requests import Desk
from generator.restore.jobs import MIGRATE, USERS

_CHANGES = frozenset({"create", "update", "rerun", "retry"})


@dataclass(frozen=True)
class Backup:
    """The backup that belongs to a run.

    Attributes:
        name: what `flowrexctl restore --to` takes; None where there is none.
        node: whose agent took it; None likewise.
        skipped: why there is none; None where there is one.
    """

    name: str | None
    node: str | None = None
    skipped: str | None = None

    def as_document(self) -> Mapping[str, object]:
        """Return what the release record keeps."""
        return {"name": self.name, "node": self.node, "skipped": self.skipped}


def wanted(steps: Sequence[Step]) -> bool:
    """Tell whether a run changes a job that uses the database."""
    return any(step.job.name in {MIGRATE, *USERS} and step.action in _CHANGES for step in steps)


def first(steps: Sequence[Step]) -> bool:
    """Tell whether nothing that uses the database has ever been deployed."""
    return all(step.previous is None for step in steps if step.job.name in {MIGRATE, *USERS})


def back_up(desk: Desk, steps: Sequence[Step], *, skip: str | None) -> Backup | None:
    """Take a backup `pre_deploy_<time>` and read it again, where the run needs one.

    Args:
        desk: from where an agent is asked.
        steps: what the run does.
        skip: why none is taken, in a person's words; None takes one.

    Returns:
        The backup; None where the run changes nothing that uses the database.

    Raises:
        HardStop: it could not be taken, or is not good.
        ServerUnreachable: no agent does it.
    """
    if not wanted(steps):
        return None
    if skip is not None:
        desk.tell(f"no backup is taken: {skip}")
        return Backup(None, skipped=skip)
    if first(steps) and not agent_choice.able(desk.consul, desk.environment, "backup"):
        desk.tell("no backup is taken: this is the first deployment, and no agent takes any yet")
        return Backup(None, skipped="the first deployment, without an agent")
    hint = (
        "Nothing was changed. To deploy without a backup, which is recorded: "
        f"flowrexctl run {desk.environment} --skip-backup 'WHY'"
    )
    try:
        node = agent_choice.choose(desk.consul, desk.environment, "backup")
        taken = node_requests.ask(desk, node, "backup", {"reason": "pre_deploy"})
        name = str(taken.result["name"])
        found = node_requests.ask(desk, node, "verify", {"name": name})
    except ServerUnreachable as error:
        more = "\n".join(filter(None, (error.hint, hint)))
        raise ServerUnreachable(f"no backup before the run: {error.message}", hint=more) from error
    except FlowrexError as error:
        more = "\n".join(filter(None, (error.hint, hint)))
        raise HardStop(f"no backup before the run: {error.message}", hint=more) from error
    if found.result.get("good") is not True:
        raise HardStop(f"the backup {name} is no good: {found.message}", hint=hint)
    return Backup(name, node)
