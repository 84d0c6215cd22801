"""The order of a run: each job begins when all it relies on are in service, the rest at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from flowrex.errors import FlowrexError
from generator.deploy import Outcome, Step

# An end that what comes after may rely on.
_THERE = frozenset({"deployed", "unchanged", "ran"})
# The main thread looks up so often for a Ctrl-C; it costs nothing else.
_LOOK_S = 0.2


class Stopped(Exception):
    """The run has ended while this job was under way."""


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        steps: in the order of deployment.
        needs: job to the jobs that must be in service before it begins.
        outcomes: what became of each job that has ended well, or waits for its promotion.
        errors: what each job that failed ended with.
        begun: the jobs that were begun.
    """

    steps: Sequence[Step]
    needs: Mapping[str, Sequence[str]]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    errors: dict[str, BaseException] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)

    def ready(self) -> list[Step]:
        """Return what may begin now: nothing any more once a job has failed."""
        if self.errors:
            return []
        return [step for step in self.steps if self._may_begin(step.job.name)]

    def pending(self) -> list[Step]:
        """Return what was not begun."""
        return [step for step in self.steps if step.job.name not in self.begun]

    def ended(self) -> list[Outcome]:
        """Return what became of the jobs that have ended, in the order of deployment."""
        names = [step.job.name for step in self.steps]
        return [self.outcomes[name] for name in names if name in self.outcomes]

    def _may_begin(self, name: str) -> bool:
        # What is not in this run is as it was, and nothing to wait for.
        own = {step.job.name for step in self.steps}
        before = [one for one in self.needs.get(name, ()) if one in own]
        return name not in self.begun and all(self._there(one) for one in before)

    def _there(self, name: str) -> bool:
        return name in self.outcomes and self.outcomes[name].result in _THERE

    def error(self) -> BaseException | None:
        """Return what the run fails with: the first job's error, which names the others."""
        failed = [self.errors[one.job.name] for one in self.steps if one.job.name in self.errors]
        if not failed:
            return None
        first, *others = failed
        said = [str(one) for one in others if isinstance(one, FlowrexError)]
        if isinstance(first, FlowrexError) and said:
            first.hint = "\n".join(filter(None, (first.hint, *(f"Also: {one}" for one in said))))
        return first


def carry_out(
    progress: Progress,
    act: Callable[[Step, Callable[[], None]], Outcome],
    ended: Callable[[Step, Outcome], None],
) -> None:
    """Carry the steps out, those that do not rely on each other at the same time.

    After a failure nothing more is begun, and what is under way is followed to its end. On Ctrl-C
    nothing is followed any more; Nomad goes on with what it has.

    Args:
        progress: the steps; it gets what becomes of them.
        act: carries one step out, in a thread of its own, and calls its second argument whenever
            it may be stopped, which then raises.
        ended: called in this thread when a step has ended well, or waits for its promotion.
    """
    stopping = threading.Event()

    def go_on() -> None:
        if stopping.is_set():
            raise Stopped

    def begin() -> dict[Future[Outcome], Step]:
        steps = progress.ready()
        progress.begun.update(step.job.name for step in steps)
        return {threads.submit(act, step, go_on): step for step in steps}

    threads = ThreadPoolExecutor(max(1, len(progress.steps)), thread_name_prefix="deploy")
    under_way: dict[Future[Outcome], Step] = {}
    try:
        under_way.update(begin())
        while under_way:
            done, _ = wait(under_way, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            for future in done:
                step = under_way.pop(future)
                error = future.exception()
                if error is not None:
                    progress.errors[step.job.name] = error
                    continue
                progress.outcomes[step.job.name] = future.result()
                ended(step, future.result())
            under_way.update(begin())
    finally:
        stopping.set()
        # What tells of a job must not do so after the run has said how it ended. Each asks whether
        # it may go on before its next question, and no question waits for long.
        threads.shutdown(wait=True, cancel_futures=True)
