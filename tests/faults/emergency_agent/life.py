"""One life of the task `emergency`, in a process of its own that may be told to kill itself.

It counts its steps: each write of the journal and of a message, each hook and each backup. At the
one it is told, before it or after it, it sends itself SIGKILL, as nothing else ends a process.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from agents.context import Context
from agents.emergency import journal
from agents.emergency.task import Emergency
from agents.notify import spool
from agents.settings import REFERENCE, Agent
from flowrex import hooks
from flowrex.consul import ConsulClient
from flowrex.settings import schema, source

NODE = "node-1"
SETTLED = {"done", "failed", "cut"}
# A change that was just acknowledged becomes steps within the task's tick.
QUIET_S = 1.2


class Kill:
    """Kills this process at its nth step."""

    def __init__(self, at: int, *, before: bool) -> None:
        self.left, self.before = at, before

    def around(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0 and self.before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = step(*arguments, **named)
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counted


async def live(folder: Path, address: str, kill: Kill) -> None:
    """Live until every step of an emergency has ended."""
    settings = schema.build(Agent, source.read(REFERENCE, REFERENCE.name), reference=REFERENCE.name)
    emergency = settings.emergency
    settings = dataclasses.replace(
        settings,
        state_dir=str(folder / "state"),
        emergency=dataclasses.replace(
            emergency, hooks=dataclasses.replace(emergency.hooks, dir=str(folder / "hooks"))
        ),
        notify=dataclasses.replace(
            settings.notify,
            webhook=dataclasses.replace(settings.notify.webhook, enabled=True),
        ),
    )

    def back_up(reason: str, since: str) -> str:
        with (folder / "backups").open("a") as file:
            file.write(f"{reason}\n")
        return "backup"

    for module, name in ((journal, "write_atomic"), (spool, "write_atomic"), (hooks, "run")):
        setattr(module, name, kill.around(getattr(module, name)))
    nothing = cast(Any, None)
    client = ConsulClient(address)
    context = Context(settings, NODE, lambda: client, lambda: nothing, lambda: nothing)
    task = Emergency(context, kill.around(back_up))
    running = asyncio.create_task(task.run(lambda: None))  # type: ignore[arg-type]
    quiet_since = None
    while not running.done():
        now, said = time.monotonic(), task.status()
        settled = all(step["state"] in SETTLED for step in said["steps"])
        if not (settled and said["steps"] and said["acknowledged"]):
            quiet_since = None
        elif quiet_since is None:
            quiet_since = now
        elif now - quiet_since > QUIET_S:
            print(said["problem"])  # noqa: T201 - the test reads it
            running.cancel()
            return
        await asyncio.sleep(0.01)
    await running


if __name__ == "__main__":
    asyncio.run(
        live(
            Path(sys.argv[1]),
            sys.argv[2],
            Kill(int(sys.argv[3]), before=sys.argv[4] == "before"),
        )
    )
