"""Keeps the record of a run up to date, from its first moment to its end."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from flowrex import keys
from flowrex.audit import outbox
from flowrex.consul import ConsulClient
from flowrex.errors import FlowrexError, ServerUnreachable
from generator.asked import Asked, planned
from generator.deploy import Outcome, Step
from generator.lock import Holder
from generator.origin import Origin
from generator.release import Kind, Release, Stand, history, outcome_of, prune

# The job that brings the schema to what the code wants.
MIGRATE = "migrate"


# Carries a write out, as patiently as it sees fit.
Ask = Callable[[Callable[[], object]], object]


def at_once(write: Callable[[], object]) -> None:
    """Write, and have no patience where that fails."""
    write()


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
        asked: Asked | None = None,
        ask: Ask = at_once,
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
            asked: what the run was asked for.
            ask: carries each write out.

        Raises:
            ServerUnreachable: it is not written, as from all that record something.
        """
        moment = _now()
        origin = origin or Origin()
        self._consul, self._history, self._origin = consul, history, origin
        self._ask = ask
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
            asked=asked.as_document() if asked else None,
            resumes=asked.resumes if asked else None,
        )
        self._carry()
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

    def left_uncompared(self, jobs: Sequence[str]) -> None:
        """Record which canaries are to be promoted without the analysis that is asked for."""
        if jobs:
            self.record = replace(self.record, uncompared=list(jobs))
            self._write()

    def planned(self, steps: Sequence[Step]) -> None:
        """Record which specs are to be submitted, and at which index of each job."""
        if self.record.asked is not None:
            asked = {**self.record.asked, "planned": planned(steps)}
            self.record = replace(self.record, asked=asked)
            self._write()

    def checked(self, found: Mapping[str, str]) -> None:
        """Record what was found when all was deployed; it is written with how the run ended."""
        self.record = replace(self.record, checked=dict(found))

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
        if not isinstance(error, Exception | None):
            self._ask = at_once  # somebody pressed Ctrl-C, and waits
        self._carry()
        self._write()
        with suppress(ServerUnreachable):  # the next one does it
            prune(self._consul, self.record.environment, self._history)

    def _carry(self) -> None:
        """Leave for the audit trail that it has begun, or how it has ended."""
        record = self.record
        detail = {
            "release": record.id,
            "version": record.version,
            "reason": record.reason,
            "revision": record.revision,
            "plan": record.plan,
            "back_to": record.back_to,
            "jobs": ", ".join(f"{name} {one['result']}" for name, one in record.jobs.items())
            or None,
            "backup": record.backup,
            "backup_skipped": record.backup_skipped,
            "overridden": ", ".join(record.overridden) or None,
            "uncompared": ", ".join(record.uncompared) or None,
            "message": record.message,
        }
        outcome = "begun" if record.ended is None else record.outcome
        # One whose answer was lost is left twice, which is better than not at all.
        self._ask(
            lambda: outbox.leave(
                self._consul,
                record.environment,
                record.kind,
                outcome,
                by=record.who,
                detail=detail,
            )
        )

    def _write(self) -> None:
        key = keys.release(self.record.environment, self.record.id)
        content = json.dumps(asdict(self.record))
        self._ask(lambda: self._consul.kv_put(key, content))


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
