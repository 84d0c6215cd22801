"""What each step of an emergency does on this node."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from agents.context import Context
from agents.emergency.episode import Change, State, Step
from agents.emergency.occasion import Occasion
from agents.emergency.telling import message_of
from agents.notify.spool import Spool
from agents.notify.task import bell, channels
from agents.threads import in_daemon_thread
from agents.wake import AUDIT
from flowrex import hooks
from flowrex.duration import seconds
from flowrex.errors import FlowrexError, LockHeld

_log = logging.getLogger(__name__)

# Takes a backup now, for a reason, unless there is one from after a time; returns its name.
Backup = Callable[[str, str], str]


class Steps:
    """Does steps. None of them waits for Consul, but the backup where it must."""

    def __init__(self, context: Context, backup: Backup | None) -> None:
        """Prepare.

        Args:
            context: the surroundings.
            backup: takes a backup, in a thread; None where this node takes none.
        """
        self._context = context
        self._backup = backup
        self._spool = Spool(context.state("notify"))

    async def do(self, change: Change, step: Step, attempt: int) -> tuple[State, str]:
        """Do one step.

        Args:
            change: why.
            step: which.
            attempt: how often it was begun, this time included.

        Returns:
            `done` or `failed`, and how it ended in a sentence; `due` where it has to wait.
        """
        try:
            match step.kind:
                case "audit":
                    self._context.wake.ring(AUDIT, f"emergency {change.id}")
                    return "done", "the audit log's tail is shipped at once"
                case "notify":
                    return await self._notify(change)
                case "backup":
                    return await self._take_backup(change)
                case "hook":
                    return await self._run_hook(change, step, attempt)
        except FlowrexError as error:
            return "failed", error.message
        except OSError as error:
            return "failed", str(error)

    async def _notify(self, change: Change) -> tuple[State, str]:
        on = channels(self._context.settings.notify)
        if not on:
            return "done", "no channel is switched on"
        message = message_of(change, self._context.node, self._context.settings.environment)
        await asyncio.to_thread(self._spool.put, message, on)
        for channel in on:
            self._context.wake.ring(bell(channel), message.id)
        return "done", f"handed to {', '.join(on)}"

    async def _take_backup(self, change: Change) -> tuple[State, str]:
        backup = self._backup
        if backup is None:
            return "failed", "backups were switched off meanwhile"
        reason = f"emergency {change.id}"
        try:
            name = await in_daemon_thread(
                lambda: backup(reason, change.seen), name="emergency backup"
            )
        except LockHeld as error:
            # Another node takes one, or a dead process still holds the lock: look again later.
            return "due", error.message
        return "done", name

    async def _run_hook(self, change: Change, step: Step, attempt: int) -> tuple[State, str]:
        settings = self._context.settings.emergency.hooks
        occasion = Occasion(
            node=self._context.node,
            environment=self._context.settings.environment,
            change=change.id,
            index=change.index,
            emergency=change.emergency,
            seen=change.seen,
            attempt=attempt,
        )
        path = Path(settings.dir) / step.name
        limit_s = seconds(settings.timeout)
        result = await in_daemon_thread(
            lambda: hooks.run(
                path,
                occasion.document(),
                occasion.environ(),
                timeout_s=limit_s,
                keep=settings.output,
            ),
            name=f"hook {step.name}",
        )
        if result.output:
            _log.info("hook said", extra={"hook": step.name, "output": result.output})
        return ("done" if result.ok else "failed"), result.sentence
