"""The task `emergency`: what the switch says becomes steps, and each step is done once.

The journal is written before a step and after it, so that a death between any two of them resumes.
Each kind of step has a lane of its own, in which they are done in their order: a hook that hangs,
or a backup, which takes long, does not hold up what is told and shipped at the next change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from agents.backoff import Backoff
from agents.context import Context
from agents.emergency.episode import KINDS, Change, Episode, Kind, Step, follow, marked, resumed
from agents.emergency.follower import Follower
from agents.emergency.journal import Journal
from agents.emergency.steps import Backup, Steps
from agents.task import Beat
from flowrex import hooks
from flowrex.switch import State

_log = logging.getLogger(__name__)

_TICK_S = 5.0
# A watch that hangs is as bad as one that is dead: the watchdog is to end it.
_WATCH_SILENT_S = 90.0
_TRIES = 5
_SHOWN_CHANGES = 3


class Emergency:
    """This node's part in an emergency."""

    name = "emergency"
    stall_s = 60.0

    def __init__(
        self, context: Context, backup: Backup | None, *, backoff: Backoff | None = None
    ) -> None:
        """Prepare.

        Args:
            context: the surroundings.
            backup: takes a backup now; None where this node takes none.
            backoff: the pauses between tries of the backup.
        """
        self._context = context
        self._settings = context.settings.emergency
        self._backs_up = backup is not None and self._settings.backup
        self._backoff = backoff or Backoff(5.0, 300.0)
        self._follower = Follower(context, self._ring)
        self._journal = Journal(context.state(self.name))
        self._steps = Steps(context, backup)
        self._episode: Episode | None = None
        self._writing = asyncio.Lock()
        self._changed = asyncio.Event()
        self._due = {kind: asyncio.Event() for kind in KINDS}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, beat: Beat) -> None:
        """Follow the switch until cancelled."""
        self._loop = asyncio.get_running_loop()
        kept = await asyncio.to_thread(self._journal.load)
        if kept is not None:
            self._episode = resumed(kept, repeat_hooks=self._settings.hooks.repeat)
        self._follower.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(beat), name="emergency follow")
                for kind in KINDS:
                    group.create_task(self._walk(kind), name=f"emergency {kind}")
        finally:
            await asyncio.to_thread(self._follower.stop)

    def status(self) -> dict[str, Any]:
        """Return how the switch stands here, and how far the steps are."""
        state = self._follower.state()
        acknowledged = self._follower.acknowledged
        changes = self._episode.changes[-_SHOWN_CHANGES:] if self._episode else ()
        return {
            **state.as_document(),
            "acknowledged": acknowledged[0] if acknowledged else None,
            "acknowledged_at": self._follower.acknowledged_at,
            "steps": [
                {"change": change.id, **vars(step)} for change in changes for step in change.steps
            ],
            "problem": self._trouble(state),
        }

    def metrics(self) -> Iterator[Any]:
        """Yield the level, how long it has been unknown, and how the steps are."""
        from prometheus_client.core import GaugeMetricFamily

        state = self._follower.state()
        still_open = sum(1 for _ in self._episode.open_steps) if self._episode else 0
        level = "What is stopped: 0 nothing, 1 halt, 2 cancel, 3 flatten, 4 stop."
        for name, text, value in (
            ("level", level, state.level),
            ("unknown_seconds", "Seconds since the switch was read.", state.unknown_s),
            ("steps_open", "Steps of the emergency that are still to be done.", still_open),
            (
                "steps_failed",
                "Steps of the last emergency that failed so far.",
                len(self._failed()),
            ),
        ):
            family = GaugeMetricFamily(f"flowrex_agent_emergency_{name}", text)
            family.add_metric([], float(value))
            yield family

    def _ring(self) -> None:
        # On the watch's thread.
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the agent has stopped
                self._loop.call_soon_threadsafe(self._changed.set)

    async def _follow(self, beat: Beat) -> None:
        while True:
            state = self._follower.state()
            if state.index:
                await self._take_up(state)
            if self._context.clock.monotonic() - self._follower.heard < _WATCH_SILENT_S:
                beat()
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._changed.wait()
            self._changed.clear()

    async def _take_up(self, state: State) -> None:
        names: list[str] = []
        if self._is_news(state):
            folder = Path(self._settings.hooks.dir)
            names = await asyncio.to_thread(hooks.names, folder)
        before = self._episode
        after = follow(
            before,
            state.emergency,
            state.index,
            seen=self._context.clock.now().isoformat(timespec="milliseconds"),
            hooks=names,
            backup=self._backs_up,
        )
        if after is not None and after is not before:
            self._episode = after
            await self._write()
            _log.warning("emergency", extra=state.as_document())
            self._context.changed()
        for due in self._due.values():
            due.set()

    def _is_news(self, state: State) -> bool:
        """Tell whether a change's steps are to be made; the hooks' folder is read only then."""
        if self._episode is None or self._episode.over:
            return state.emergency.active
        last = self._episode.changes[-1]
        return state.index not in (last.index, last.renumbered)

    async def _walk(self, kind: Kind) -> None:
        while True:
            await self._due[kind].wait()
            self._due[kind].clear()
            while (found := self._next(kind)) is not None:
                if kind == "backup" and found[1].attempts:
                    await self._context.clock.sleep(self._backoff.seconds(found[1].attempts))
                await self._do(*found)

    def _next(self, kind: Kind) -> tuple[Change, Step] | None:
        steps = self._episode.open_steps if self._episode else iter(())
        return next((one for one in steps if one[1].kind == kind), None)

    async def _do(self, change: Change, step: Step) -> None:
        attempt = step.attempts + 1
        await self._mark(change, step, state="begun", attempts=attempt)
        state, detail = await self._steps.do(change, step, attempt)
        if state == "failed" and self._again(step, attempt):
            state = "due"
        _log.log(
            logging.INFO if state == "done" else logging.ERROR,
            "emergency step will be tried again" if state == "due" else "emergency step has ended",
            extra={"step": step.kind, "hook": step.name, "state": state, "detail": detail},
        )
        await self._mark(change, step, state=state, attempts=attempt, detail=detail)
        self._context.changed()

    def _again(self, step: Step, attempt: int) -> bool:
        """Tell whether a step that failed is tried again."""
        if step.kind == "hook":
            return False
        # A store that is away for hours must not cost the emergency its backup.
        lasting = self._episode is not None and not self._episode.over
        return attempt < _TRIES or (step.kind == "backup" and lasting)

    async def _mark(self, change: Change, step: Step, **news: Any) -> None:
        assert self._episode is not None
        self._episode = marked(self._episode, change, step, **news)
        await self._write()

    async def _write(self) -> None:
        """Write the journal. Where it can't be, the steps go on: an emergency does not wait."""
        async with self._writing:
            assert self._episode is not None
            try:
                await asyncio.to_thread(self._journal.write, self._episode)
            except OSError as error:
                _log.error("the emergency's journal can't be written", extra={"error": str(error)})

    def _failed(self) -> list[Step]:
        changes = self._episode.changes if self._episode else ()
        steps = (step for change in changes for step in change.steps)
        return [
            step
            for step in steps
            if step.state in {"failed", "cut"} or (step.open and step.detail and step.attempts)
        ]

    def _trouble(self, state: State) -> str:
        said = [self._follower.problem] if self._follower.problem else []
        if state.emergency.problem:
            said.append(f"the switch can't be read and counts as halt: {state.emergency.problem}")
        if state.unknown:
            said.append(state.why)
        said += [f"{one.kind} {one.name}".strip() + f": {one.detail}" for one in self._failed()]
        return "; ".join(said)
