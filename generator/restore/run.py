"""The walk of a restore: stop, let the agent restore, migrate if told, start; resumable."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flowrex import keys
from flowrex.errors import FlowrexError, HardStop, UsageError
from flowrex.node_requests import Answer, Kind, parse_answer
from generator import node_requests
from generator.lock import Holder
from generator.node_requests import Desk, RequestFailed
from generator.restore import jobs, progress, record
from generator.restore.progress import Progress
from generator.restore.wish import Wish
from generator.setup import Setup, audited
from generator.watch import Event, Watch

_VERB = "restore"


def restore(setup: Setup, desk: Desk, wish: Wish, *, migrate: bool) -> Answer:
    """Carry it out.

    Returns:
        The agent's answer.

    Raises:
        RequestFailed: the agent refuses, and the jobs run again; or it failed, and they are left
            stopped, for a person to decide.
        DeploymentFailed: a job could not be stopped, or did not get into service again.
    """
    me = Holder.myself("")
    begun = Progress(
        backup=wish.backup,
        source=wish.source,
        database=wish.database,
        node=wish.node,
        by=f"{me.who}@{me.host}",
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        migrate=migrate,
    )
    details = {
        "backup": wish.backup,
        "source": wish.source,
        "database": wish.database,
        "loss": dict(wish.loss),
    }
    with audited(setup, _VERB, "", **details) as (watch, _):
        if (unfinished := progress.read(setup.consul, watch.environment)) is not None:
            raise HardStop(unfinished.sentence(), hint=progress.ways_on(watch.environment))
        if migrate:
            jobs.require_migrate(watch)
        begun = replace(begun, jobs=jobs.running(watch))
        return _walk(watch, desk, begun)


def resume(setup: Setup, desk: Desk) -> Answer:
    """Go on with a restore that was cut off, from the step that it was at.

    Raises:
        UsageError: there is none.
    """
    with audited(setup, _VERB, "", resumed=True) as (watch, _):
        return _walk(watch, desk, _unfinished(setup, watch))


def abandon(setup: Setup) -> Progress:
    """Start the jobs again on the database as it is now, and forget the restore.

    Raises:
        UsageError: there is none.
    """
    with audited(setup, _VERB, "", abandoned=True) as (watch, _):
        found = _unfinished(setup, watch)
        jobs.start(watch, found.jobs)
        progress.end(setup.consul, watch.environment)
        return found


def _unfinished(setup: Setup, watch: Watch) -> Progress:
    found = progress.read(setup.consul, watch.environment)
    if found is None:
        raise UsageError(f"there is no unfinished restore in {watch.environment}")
    return found


def _walk(watch: Watch, desk: Desk, now: Progress) -> Answer:
    def at(**news: Any) -> Progress:
        watch.guard()
        after = replace(now, **news)
        progress.write(watch.consul, watch.environment, after)
        return after

    try:
        answer: Answer | None = None
        if now.step == "stopping":
            now = at()
            jobs.stop(watch, list(now.jobs))
            now = at(step="restoring")
        if now.step == "restoring":
            answer = _restored(watch, desk, now, lambda request: at(request=request))
            name = record.write(watch.consul, watch.environment, now, answer)
            now = at(step="migrating" if now.migrate else "starting", record=name)
        if now.step == "migrating":
            jobs.migrate(watch)
            record.migrated(watch.consul, watch.environment, now.record)
            now = at(step="starting")
        jobs.start(watch, now.jobs)
    except RequestFailed as error:
        if error.answer.state != "refused":
            error.hint = "\n".join(filter(None, (error.hint, progress.ways_on(watch.environment))))
            raise
        # Nothing was done to the database.
        jobs.start(watch, now.jobs)
        progress.end(watch.consul, watch.environment)
        raise
    except KeyboardInterrupt:
        watch.tell(
            Event("", "interrupted", f"{now.sentence()}\n{progress.ways_on(watch.environment)}")
        )
        raise
    except FlowrexError as error:
        error.hint = "\n".join(filter(None, (error.hint, progress.ways_on(watch.environment))))
        raise
    progress.end(watch.consul, watch.environment)
    return answer or Answer("", "done", "", "", {"name": now.backup})


def _restored(watch: Watch, desk: Desk, now: Progress, note: Callable[[str], Progress]) -> Answer:
    """Ask the agent, or follow what an earlier process asked; ask again where that failed."""
    key = keys.answer(now.node, now.request)
    entry = watch.consul.kv_get(key) if now.request else None
    failed = False
    if entry is not None:
        said = parse_answer(key, entry.value)
        failed = said.ended and said.state != "done"
    if now.request and not failed:
        with suppress(UsageError):  # it was never sent
            node, request = node_requests.find(desk, now.request)
            return node_requests.follow(desk, node, request)
    kind: Kind = "restore" if now.source == "logical" else "physical_restore"
    meant = "name" if now.source == "logical" else "to"
    request = node_requests.make(kind, {meant: now.backup, "confirm": now.database})
    note(request.id)
    node_requests.post(desk, now.node, request)
    return node_requests.follow(desk, now.node, request)
