"""One request's work: its handler in a thread, and what it tells on the way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from agents.context import Context
from agents.requests.handler import Handling, Interrupted, Refused
from agents.requests.journal import Entry
from agents.threads import in_daemon_thread
from flowrex.errors import FlowrexError
from flowrex.node_requests import Answer, Request, State

_log = logging.getLogger(__name__)


class Work:
    """One request while it is done. Its handler's thread and the event loop share it."""

    def __init__(
        self,
        entry: Entry,
        request: Request,
        handling: Handling,
        context: Context,
        news: Callable[[], None],
    ) -> None:
        """Prepare; nothing is done before `run`.

        Args:
            entry: the request, claimed.
            request: what is asked.
            handling: how it is done.
            context: for the handler.
            news: called in the handler's thread when there is something to tell.
        """
        self.request = request
        self._entry = entry
        self._handling = handling
        self._context = context
        self._news = news
        self._lock = threading.Lock()
        self._stopping = False
        self._told: tuple[str, Mapping[str, Any]] | None = (f"{request.kind} has begun", {})
        self._last = context.clock.monotonic()
        self._ended = threading.Event()

    @property
    def silent_s(self) -> float:
        """Seconds since the handler told something."""
        return self._context.clock.monotonic() - self._last

    def take_news(self) -> Answer | None:
        """Return what is to be told since the last call; None where there is nothing."""
        with self._lock:
            told, self._told = self._told, None
        return None if told is None else self._answer("running", told[0], told[1])

    def stop(self) -> None:
        """Let the handler end at its next word."""
        with self._lock:
            self._stopping = True

    def wait_end(self, seconds: float) -> bool:
        """Wait for the end of the handler's thread, and tell whether it has ended."""
        return self._ended.wait(seconds)

    async def run(self) -> Answer | None:
        """Do it.

        Returns:
            The final answer; None where the agent stops before there is one.
        """
        return await in_daemon_thread(self._run, name=f"request {self.request.id}")

    def _run(self) -> Answer | None:
        try:
            result = self._handling.handle(self.request, self._context, self._progress)
        except Interrupted:
            return None
        except Refused as error:
            return self._failed("refused", error)
        except FlowrexError as error:
            return self._failed("failed", error)
        except Exception as bug:  # noqa: BLE001 - an edge: the operator is to hear of it
            _log.exception("a request's handler failed", extra={"request": self.request.id})
            text = f"this is a bug in flowrex-agent: {type(bug).__name__}: {bug}"
            return self._failed("failed", FlowrexError(text, hint="See the agent's log."))
        finally:
            self._ended.set()
        return self._answer("done", "", result)

    def _progress(self, message: str, **result: Any) -> None:
        with self._lock:
            if self._stopping:
                raise Interrupted
            self._last = self._context.clock.monotonic()
            if not message and not result:
                return
            self._told = (message, result)
        self._news()

    def _failed(self, state: State, error: FlowrexError) -> Answer:
        return self._answer(
            state,
            error.message,
            {
                "error": type(error).__name__,
                "hint": error.hint,
                "exit_status": error.exit_status,
            },
        )

    def _answer(self, state: State, message: str, result: Mapping[str, Any]) -> Answer:
        now = self._context.clock.now().isoformat(timespec="milliseconds")
        return Answer(self.request.id, state, now, message, result, self._entry.claim)
