"""Whether the dependencies answer, told within a bounded time whatever they do."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flowrex.errors import FlowrexError

_log = logging.getLogger("app.health")

BOUND_S = 1.5
_GIVE_UP_S = 10.0


@dataclass(frozen=True)
class Outcome:
    """One dependency's answer.

    Attributes:
        ok: whether it works.
        error: what is wrong, fit for anybody's eyes; None when it works.
        time_ms: how long the answer took, in milliseconds.
    """

    ok: bool
    error: str | None
    time_ms: float

    def as_document(self) -> dict[str, Any]:
        """Return what the health paths show."""
        return {"ok": self.ok, "error": self.error, "time_ms": round(self.time_ms, 2)}


class Probe:
    """Asks one dependency, once at a time.

    A dependency that hangs leaves one question open, which later callers wait for as well: many
    callers don't pile up connections on something that is in trouble.
    """

    def __init__(self, name: str, ask: Callable[[], Awaitable[None]]) -> None:
        """Remember how to ask.

        Args:
            name: the dependency, for the log.
            ask: returns when it works; raises a FlowrexError, with a message that may be shown.
        """
        self.name = name
        self._ask = ask
        self._open: asyncio.Task[Outcome] | None = None
        self._was_ok = True

    async def outcome(self, bound_s: float = BOUND_S) -> Outcome:
        """Return the answer, or that there was none.

        Args:
            bound_s: seconds to wait at the most.
        """
        started = time.perf_counter()
        if self._open is None or self._open.done():
            self._open = asyncio.create_task(self._question())
        await asyncio.wait({self._open}, timeout=bound_s)
        if self._open.done() and not self._open.cancelled():
            outcome = self._open.result()
        else:
            elapsed_ms = (time.perf_counter() - started) * 1000
            outcome = Outcome(False, f"no answer within {bound_s:g} s", elapsed_ms)
        self._report(outcome)
        return outcome

    async def _question(self) -> Outcome:
        started = time.perf_counter()
        error: str | None = None
        try:
            async with asyncio.timeout(_GIVE_UP_S):
                await self._ask()
        except FlowrexError as problem:
            error = problem.message
        except TimeoutError:
            error = f"no answer within {_GIVE_UP_S:g} s"
        except Exception:  # noqa: BLE001 - an edge: a bug in a check must not read as health
            _log.exception("the check of %s itself failed", self.name)
            error = "the check itself failed; the log tells why"
        return Outcome(error is None, error, (time.perf_counter() - started) * 1000)

    def _report(self, outcome: Outcome) -> None:
        if outcome.ok != self._was_ok:
            self._was_ok = outcome.ok
            if outcome.ok:
                _log.info("%s works again", self.name)
            else:
                _log.warning("%s does not work: %s", self.name, outcome.error)


async def ask_all(probes: Mapping[str, Probe], bound_s: float = BOUND_S) -> dict[str, Outcome]:
    """Ask every dependency at the same time.

    Args:
        probes: by the dependency's name.
        bound_s: seconds after which the answer is given without those that are missing.
    """
    outcomes = await asyncio.gather(*(probe.outcome(bound_s) for probe in probes.values()))
    return dict(zip(probes, outcomes, strict=True))
