"""What was deployed, when, by whom and with what result: one small record a run, in Consul.

A record is written when a run begins (`running`), after each job, and when it ends. One that says
`running` while nobody holds the lock is of a run that died.

Format 2 says more than format 1 did: why, from which revision and plan, and which version of every
job of the environment runs. Records of format 1 are read as if they had left that empty.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import (
    CanaryWaiting,
    DeploymentFailed,
    FlowrexError,
    HardStop,
    LockHeld,
    ServerUnreachable,
    StalePlan,
)
from generator.deploy import Outcome
from generator.lock import Holder
from generator.migrations import Schema
from generator.origin import Origin

Kind = Literal["run", "promote", "fail", "rollback"]
Stand = Mapping[str, Any]
FORMAT = 2
# The job that brings the schema to what the code wants.
MIGRATE = "migrate"


@dataclass(frozen=True)
class Release:
    """One run's record.

    Attributes:
        id: sorts by time.
        kind: the verb.
        version: the application's version, where the run is about one.
        outcome: `running`, `done`, `canary`, `failed`, `refused`, `stale`, `interrupted`,
            `unreachable`, `lock-lost` or `error`.
        started: when, ISO 8601 in UTC.
        ended: when, or None.
        holder: who ran it, as in the lock.
        jobs: job to what became of it (`result`, `version`, `previous`, `sha256`).
        message: the error that it ended with.
        reason: why, in the words of the person.
        revision: the commit of the project's folder, `+changes` where files differed from it.
        plan: the hash of the plan that was carried out, as `plan` prints it.
        completes: the run whose canary it promoted or gave up.
        back_to: the release that a rollback went back to, where it was one.
        stands: each job of the environment to the version that is there when it ended: `version`,
            `index` (its modify index, which no other version of any job has), `release`, `stable`,
            and `code` (checksums of artifacts and names of images).
        schema: how far the database's schema is, as `generator.migrations` tells it.
        backup: the backup that was taken before it began.
        backup_skipped: why there is none, in the words of the person.
        overridden: the hard stops that were not to stop, to what was found.
    """

    id: str
    environment: str
    kind: Kind
    version: str | None
    outcome: str
    started: str
    ended: str | None
    holder: Mapping[str, object]
    jobs: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    message: str | None = None
    reason: str | None = None
    revision: str | None = None
    plan: str | None = None
    completes: str | None = None
    back_to: str | None = None
    stands: Mapping[str, Stand] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    backup: str | None = None
    backup_skipped: str | None = None
    overridden: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def known_schema(self) -> Schema | None:
        """How far the schema was, where it is recorded."""
        return Schema(**self.schema) if self.schema else None

    @property
    def who(self) -> str:
        """The person and the machine."""
        return f"{self.holder.get('who')}@{self.holder.get('host')}"


def _now() -> datetime:
    return datetime.now(UTC)


class Recorder:
    """Keeps the record of one run up to date."""

    def __init__(
        self,
        consul: ConsulClient,
        environment: str,
        kind: Kind,
        version: str | None,
        what: str,
        *,
        history: int,
        origin: Origin | None = None,
        plan: str | None = None,
        back_to: str | None = None,
        stands: Mapping[str, Stand] | None = None,
    ) -> None:
        """Write the first record.

        Args:
            consul: where records are.
            environment: whose.
            kind: the verb.
            version: the application's version, where known.
            what: the command, as in the lock.
            history: how many records are kept.
            origin: why, and from what.
            plan: the hash of the plan that is carried out.
            back_to: the release that a rollback goes back to.
            stands: what there is of each job before anything is changed.
        """
        moment = _now()
        origin = origin or Origin()
        self._consul, self._history, self._origin = consul, history, origin
        completes, schema = _inherited(consul, environment, kind)
        self.record = Release(
            id=f"{moment:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(2)}",
            environment=environment,
            kind=kind,
            version=version,
            outcome="running",
            started=moment.isoformat(timespec="seconds"),
            ended=None,
            holder=asdict(Holder.myself(what)),
            reason=origin.reason,
            revision=origin.revision,
            plan=plan,
            completes=completes,
            back_to=back_to,
            stands=dict(stands or {}),
            schema=schema,
        )
        self._write()

    def add(self, outcome: Outcome, sha256: str | None = None, stand: Stand | None = None) -> None:
        """Record what became of one job.

        Args:
            outcome: what became of it.
            sha256: of the spec that was submitted.
            stand: the version that is there now; None where Nomad does not say.
        """
        result = {
            "result": outcome.result,
            "version": outcome.version,
            "previous": outcome.previous,
            "sha256": sha256,
        }
        self.record = replace(self.record, jobs={**self.record.jobs, outcome.job: result})
        if stand is not None:
            stands = {**self.record.stands, outcome.job: stand}
            self.record = replace(self.record, stands=stands)
        if outcome.result == "ran" and outcome.job == MIGRATE and self._origin.schema is not None:
            self.record = replace(self.record, schema=asdict(self._origin.schema))
        self._write()

    def backed_up(self, name: str) -> None:
        """Record the backup that was taken before the run began.

        Args:
            name: the backup's.
        """
        self.record = replace(self.record, backup=name)
        self._write()

    def overrode(self, found: Mapping[str, str]) -> None:
        """Record which hard stops were overridden, and what was found of each."""
        if found:
            self.record = replace(self.record, overridden=dict(found))
            self._write()

    def without_backup(self, why: str) -> None:
        """Record why no backup was taken before the run began."""
        self.record = replace(self.record, backup_skipped=why)
        self._write()

    def end(self, error: BaseException | None) -> None:
        """Record how the run ended, and drop the oldest records.

        Args:
            error: what it ended with; None for success.
        """
        message = error.message if isinstance(error, FlowrexError) else None
        self.record = replace(
            self.record,
            outcome=outcome_of(error),
            ended=_now().isoformat(timespec="seconds"),
            message=message,
        )
        self._write()
        prune(self._consul, self.record.environment, self._history)

    def _write(self) -> None:
        key = keys.release(self.record.environment, self.record.id)
        self._consul.kv_put(key, json.dumps(asdict(self.record)))


def outcome_of(error: BaseException | None) -> str:
    """Return the word for how a run ended."""
    words: tuple[tuple[type[BaseException], str], ...] = (
        (CanaryWaiting, "canary"),
        (DeploymentFailed, "failed"),
        (HardStop, "refused"),
        (StalePlan, "stale"),
        (LockHeld, "lock-lost"),
        (ServerUnreachable, "unreachable"),
        (KeyboardInterrupt, "interrupted"),
    )
    if error is None:
        return "done"
    return next((word for kind, word in words if isinstance(error, kind)), "error")


def history(consul: ConsulClient, environment: str) -> list[Release]:
    """Return the records of an environment, the newest first; unreadable ones are left out."""
    known = {one.name for one in fields(Release)}
    found = []
    for entry in consul.kv_list(keys.releases(environment)):
        try:
            # What a newer version of this tool says beside is not known here, and no harm.
            said = {name: one for name, one in json.loads(entry.value).items() if name in known}
            found.append(Release(**said))
        except (ValueError, TypeError, AttributeError):
            continue  # written by another version of this tool
    return sorted(found, key=lambda one: one.id, reverse=True)


def _inherited(
    consul: ConsulClient, environment: str, kind: Kind
) -> tuple[str | None, Mapping[str, Any] | None]:
    """Return what a new record takes over: the run that it completes, and the schema."""
    earlier = history(consul, environment)
    schema = next((one.schema for one in earlier if one.schema), None)
    if kind not in {"promote", "fail"}:
        return None, schema
    for one in earlier:
        if one.outcome == "canary":
            return one.id, schema
        if one.kind == "run" or (one.completes and one.outcome == "done"):
            break
    return None, schema


def prune(consul: ConsulClient, environment: str, keep: int) -> None:
    """Drop all but the newest records."""
    entries = sorted(consul.kv_list(keys.releases(environment)), key=lambda one: one.key)
    for entry in entries[: max(0, len(entries) - keep)]:
        consul.kv_delete(entry.key)
