"""Tasks without which a worker must not go on."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger("app.essential")


def start(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Run `work` beside the requests; should it ever end by itself, the worker is replaced.

    Args:
        work: what never returns.
        name: for the log.
    """
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[None]) -> None:
    if task.cancelled():
        return
    _log.critical("%s ended; this worker makes way for a new one", task.get_name(),
                  exc_info=task.exception())  # fmt: skip
    # The same polite end as from outside: requests in flight are finished.
    signal.raise_signal(signal.SIGTERM)
