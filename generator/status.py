"""One screen: who holds the lock, what became of the last run, where each job stands.

What is out of the ordinary comes first: an emergency, and a restore that was cut off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flowrex.consul import ConsulClient
from flowrex.emergency import NORMAL, Emergency
from flowrex.errors import ConfigurationError, ServerUnreachable
from flowrex.nomad import NomadClient
from generator import instances, lock, release
from generator.emergency import switch
from generator.instances import Instance
from generator.lock import Holder
from generator.release import Release
from generator.restore import progress
from generator.standing import Standing, standings


@dataclass(frozen=True)
class Status:
    """An environment as it is now.

    Attributes:
        environment: its name.
        holder: who holds the lock.
        last: the record of the newest run.
        jobs: where each job stands, in the order of deployment.
        instances: where their instances are.
        unknown: why the lock and the records are not known: Consul does not answer.
        emergency: what the kill switch says.
        restore: how far a restore is that is under way or was cut off, in a sentence.
    """

    environment: str
    holder: Holder | None
    last: Release | None
    jobs: tuple[Standing, ...]
    instances: tuple[Instance, ...] = ()
    unknown: ServerUnreachable | None = None
    emergency: Emergency = NORMAL
    restore: str = ""

    @property
    def died(self) -> Release | None:
        """The newest run, if it ended without a word: it says `running` and nobody holds the lock.

        Where the lock is held, the newest record may not be written yet, so an older one that says
        `running` is told only when its process is not the holder's.
        """
        last = self.last
        if last is None or last.outcome != "running":
            return None
        if self.holder is None:
            return last
        same = last.holder.get("pid") == self.holder.pid and last.holder.get("host") == (
            self.holder.host
        )
        # A dead holder's lock lives on for its TTL; nobody can tell before that.
        return None if same else last

    def as_document(self) -> Mapping[str, Any]:
        """Return what `--json` prints."""
        return {
            "environment": self.environment,
            "emergency": self.emergency.level.word,
            "unfinished_restore": self.restore or None,
            "lock": asdict(self.holder) if self.holder else None,
            "last_run": asdict(self.last) if self.last else None,
            "unfinished_run": self.died.id if self.died else None,
            "jobs": [job_document(self.environment, job) for job in self.jobs],
            "instances": [instance.as_document() for instance in self.instances],
        }


def read(
    environment: str, nomad: NomadClient, consul: ConsulClient, names: Sequence[str]
) -> Status:
    """Ask Nomad and Consul.

    Args:
        environment: its name.
        nomad: where the jobs are.
        consul: where the lock and the records are.
        names: the jobs, in the order of deployment.
    """
    jobs = standings(nomad, names)
    try:
        holder = lock.holder(consul, environment)
        records = release.history(consul, environment)
        where = instances.read(consul, names)
        emergency, restore = switch.read(consul).emergency, _restore(consul, environment)
    except ServerUnreachable as error:
        return Status(environment, None, None, jobs, unknown=error)
    last = records[0] if records else None
    return Status(environment, holder, last, jobs, where, emergency=emergency, restore=restore)


def _restore(consul: ConsulClient, environment: str) -> str:
    try:
        found = progress.read(consul, environment)
    except ConfigurationError as error:
        return error.message
    return found.sentence() if found else ""


def job_document(environment: str, job: Standing) -> Mapping[str, Any]:
    """Return one job as `--json` prints it."""
    current, deployment = job.current, job.deployment
    return {
        "job": job.name,
        "state": job.state,
        "waits_for_promotion": job.canary_waits,
        "version": current.version if current else None,
        "stable": current.stable if current else None,
        "tag": current.tag if current else None,
        "release": job.release,
        "submitted": current.submitted.isoformat(timespec="seconds") if current else None,
        **job.counts,
        "deployment": deployment.id if deployment else None,
        "deployment_status": deployment.status if deployment else None,
        "deployment_description": deployment.description if deployment else None,
        "next": job.next_command(environment),
    }


def sentences(status: Status) -> list[str]:
    """Return what has to be said beside the table: the lock, and how the last run ended."""
    said = _out_of_the_ordinary(status)
    if status.holder is not None:
        dead = " That process is gone; its lock expires by itself." if status.holder.gone else ""
        said.append(f"The lock is held by {status.holder}.{dead}")
    last = status.last
    if status.unknown is not None:
        said.append("Who holds the lock and how the last run ended is not known.")
    elif last is None:
        said.append("No run is recorded.")
    elif status.died is not None:
        said.append(_died(last))
    elif last.outcome != "running":
        said.append(_ended(last))
    for job in status.jobs:
        if job.deployment is not None and job.state in {"failed", "deploying", "canary"}:
            said.append(f"{job.name}: {job.deployment.description}.")
    commands = [one.next_command(status.environment) for one in status.jobs]
    pending = sorted({one for one in commands if one}, key=commands.index)
    cut_off = status.died is not None and status.died.kind == "run"
    if pending and all(" run " in one for one in pending):
        if cut_off or len(pending) > 1:
            pending = [f"flowrexctl {'resume' if cut_off else 'run'} {status.environment}"]
    elif cut_off and not pending:
        pending = [f"flowrexctl resume {status.environment}"]
    elif status.died is not None and not pending:
        pending = [f"flowrexctl {status.died.kind} {status.environment}"]
    said.extend(f"Next: {command}" for command in pending)
    return said


def _what(last: Release) -> str:
    version = f" of {last.version}" if last.version else ""
    return f"The last {last.kind}{version} by {last.who}, started {last.started}"


def _died(last: Release) -> str:
    done = ", ".join(f"{name} ({job.get('result')})" for name, job in last.jobs.items())
    reached = f"It had done: {done}." if done else "It had not finished any job."
    return (
        f"{_what(last)}, ended without a word: its process {last.holder.get('pid')} was killed or "
        f"its machine stopped. {reached} What Nomad had begun went on, as the table shows."
    )


def _ended(last: Release) -> str:
    words = {
        "done": "is done",
        "canary": "ended with a healthy canary",
        "failed": "failed",
        "stale": "stopped, since its plan was stale",
        "refused": "was refused by a hard stop, and changed nothing",
        "interrupted": "was interrupted; what Nomad had begun went on",
        "unreachable": "lost a server; what Nomad had begun went on",
        "lock-lost": "lost its lock; what Nomad had begun went on",
        "error": "ended with an error",
    }
    text = f"{_what(last)}, {words.get(last.outcome, last.outcome)}"
    first = (last.message or "").partition("\n")[0]
    return (
        f"{text}: {first}"
        if last.outcome in {"failed", "refused", "stale"} and first
        else f"{text}."
    )


def _out_of_the_ordinary(status: Status) -> list[str]:
    said = []
    emergency = status.emergency
    if emergency.active:
        by = f", by {emergency.by}" if emergency.by else ""
        why = f": {emergency.reason}" if emergency.reason else ""
        said.append(
            f"There is an emergency, at level {emergency.level.word}{by}{why}. "
            f"See it: flowrexctl emergency status {status.environment}"
        )
    if status.restore:
        said.append(status.restore)
        if status.holder is None:
            said.append(progress.ways_on(status.environment))
    return said
