"""What was deployed, when, by whom and with what result: one small record a run, in Consul.

A record is written when a run begins (`running`), after each job, and when it ends. One that says
`running` while nobody holds the lock is of a run that died.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import (
    CanaryWaiting,
    DeploymentFailed,
    FlowrexError,
    LockHeld,
    ServerUnreachable,
    StalePlan,
)
from generator.deploy import Outcome
from generator.lock import Holder

Kind = Literal["run", "promote", "fail", "rollback"]
FORMAT = 1


@dataclass(frozen=True)
class Release:
    """One run's record.

    Attributes:
        id: sorts by time.
        kind: the verb.
        version: the application's version, where the run is about one.
        outcome: `running`, `done`, `canary`, `failed`, `stale`, `interrupted`, `unreachable`,
            `lock-lost` or `error`.
        started: when, ISO 8601 in UTC.
        ended: when, or None.
        holder: who ran it, as in the lock.
        jobs: job to what became of it (`result`, `version`, `previous`, `sha256`).
        message: the error that it ended with.
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
    format: int = FORMAT

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
    ) -> None:
        """Write the first record.

        Args:
            consul: where records are.
            environment: whose.
            kind: the verb.
            version: the application's version, where known.
            what: the command, as in the lock.
            history: how many records are kept.
        """
        moment = _now()
        self._consul, self._history = consul, history
        self.record = Release(
            id=f"{moment:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(2)}",
            environment=environment,
            kind=kind,
            version=version,
            outcome="running",
            started=moment.isoformat(timespec="seconds"),
            ended=None,
            holder=asdict(Holder.myself(what)),
        )
        self._write()

    def add(self, outcome: Outcome, sha256: str | None = None) -> None:
        """Record what became of one job."""
        result = {
            "result": outcome.result,
            "version": outcome.version,
            "previous": outcome.previous,
            "sha256": sha256,
        }
        self.record = replace(self.record, jobs={**self.record.jobs, outcome.job: result})
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
    found = []
    for entry in consul.kv_list(keys.releases(environment)):
        try:
            found.append(Release(**json.loads(entry.value)))
        except (ValueError, TypeError):
            continue  # written by another version of this tool
    return sorted(found, key=lambda one: one.id, reverse=True)


def prune(consul: ConsulClient, environment: str, keep: int) -> None:
    """Drop all but the newest records."""
    entries = sorted(consul.kv_list(keys.releases(environment)), key=lambda one: one.key)
    for entry in entries[: max(0, len(entries) - keep)]:
        consul.kv_delete(entry.key)
