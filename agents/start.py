"""From the command line to a running process, and to its end, with nothing left to wait for."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agents.clock import SystemClock
from agents.process import Process
from agents.settings import Agent, load
from agents.systemd.notify import Notifier
from flowrex import log as log_lines
from flowrex.errors import FlowrexError

log = logging.getLogger(__name__)

# Each blocking call takes one while it lasts; a server that hangs takes a few for its timeout.
_THREADS = 24


def run(path: Path, environ: Mapping[str, str] = os.environ) -> int:
    """Run the agent, and return its exit status.

    Args:
        path: the node's configuration.
        environ: systemd's sockets, the credentials' places.

    Raises:
        ConfigurationError: it can't start.
    """
    _take_answers_for_utf8()
    settings = load(path)
    log_lines.configure(settings.log_level, service="flowrex-agent")
    # The watchdog's SIGABRT then shows where every thread was.
    faulthandler.enable()
    executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="agent")
    loop = asyncio.new_event_loop()
    loop.set_default_executor(executor)
    try:
        error = loop.run_until_complete(_serve(path, settings, environ))
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
    if error is not None:
        log.error("agent can't go on", extra={"error": error.message, "hint": error.hint})
    return 0 if error is None else error.exit_status


def _take_answers_for_utf8() -> None:
    """Keep requests from guessing encodings, whose tables take five of the agent's megabytes.

    Every server that the agent asks answers in UTF-8. Without the library that guesses, which it
    does not insist on, requests takes that for granted.
    """
    sys.modules.setdefault("charset_normalizer", None)  # type: ignore[arg-type]
    warnings.filterwarnings("ignore", message="Unable to find acceptable character detection")


async def _serve(path: Path, settings: Agent, environ: Mapping[str, str]) -> FlowrexError | None:
    process = Process(
        path,
        settings=settings,
        clock=SystemClock(),
        notifier=Notifier(environ, os.getpid()),
        environ=environ,
    )
    return await process.serve()


def leave(status: int) -> None:
    """End the process where a thread would keep it from ending: one that waits for a dead server.

    Args:
        status: the exit status.
    """
    own = threading.current_thread()
    left = [one for one in threading.enumerate() if one is not own and not one.daemon]
    for one in left:
        one.join(0.2)
    if hanging := [one.name for one in left if one.is_alive()]:
        log.warning("threads were still waiting for a server", extra={"threads": hanging})
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
