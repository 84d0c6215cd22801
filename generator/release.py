"""What was deployed, when, by whom and with what result: one small record a run, in Consul.

A record is written when a run begins (`running`), after each job, and when it ends. One that says
`running` while nobody holds the lock is of a run that died.

Format 2 says more than format 1 did: why, from which revision and plan, and which version of every
job of the environment runs. Records of format 1 are read as if they had left that empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import (
    CanaryWaiting,
    DeploymentFailed,
    HardStop,
    LockHeld,
    ServerUnreachable,
    StalePlan,
)
from generator.migrations import Schema

Kind = Literal["run", "promote", "fail", "rollback", "restore"]
Stand = Mapping[str, Any]
FORMAT = 2


@dataclass(frozen=True)
class Release:
    """One run's record.

    Attributes:
        id: sorts by time.
        kind: the verb. A restore is no release; it is told of here because the database is another
            one from then on.
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
        uncompared: the jobs whose canary `--promote` promoted without the analysis that the
            environment asks for.
        asked: what a run was asked for, as `generator.asked` reads it, so that it can be resumed.
        resumes: the run that it goes on with.
        restored: of a restore, the `backup` or moment, its `source`, the `database`, and the
            `revision` of its schema (None: not known; `schema` is that from before then).
        checked: what was found after it, by check: `passed`, `failed`, `unknown` or `off`.
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
    uncompared: Sequence[str] = ()
    asked: Mapping[str, Any] | None = None
    resumes: str | None = None
    checked: Mapping[str, str] = field(default_factory=dict)
    restored: Mapping[str, Any] | None = None
    format: int = FORMAT

    @property
    def known_schema(self) -> Schema | None:
        """How far the schema was, where it is recorded."""
        return Schema(**self.schema) if self.schema else None

    @property
    def who(self) -> str:
        """The person and the machine."""
        return f"{self.holder.get('who')}@{self.holder.get('host')}"


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


def prune(consul: ConsulClient, environment: str, keep: int) -> None:
    """Drop all but the newest records."""
    entries = sorted(consul.kv_list(keys.releases(environment)), key=lambda one: one.key)
    for entry in entries[: max(0, len(entries) - keep)]:
        consul.kv_delete(entry.key)
