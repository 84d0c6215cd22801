"""kill -9 at every step of flattening: the next worker ends what the first began, once."""

from __future__ import annotations

import signal

import pytest

from flowrex.emergency import Level
from tests.faults.emergency.conftest import POSITIONS, RESTING, Scene

# Runs the worker with a store that kills the process before or after its n-th call.
CODE = """
import os, signal
from app.store import book, flatten
from app.workers import emergency

left = {number}

def point(when):
    global left
    if when == "{when}":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

def around(owner, name):
    real = getattr(owner, name)
    async def call(*arguments, **more):
        point("before")
        result = await real(*arguments, **more)
        point("after")
        return result
    setattr(owner, name, call)

for name in ("take", "book", "cancel", "close", "end"):
    around(flatten.FlattenStore, name)
for name in ("add", "fill"):
    around(book, name)
emergency.main()
"""

# take, and per pass: book; two cancels; four closes with an add and a fill; the last look; end.
CALLS = 1 + 1 + RESTING + 1 + 3 * 3 + 1 + 3 + 1 + 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_a_worker_killed_at_any_step_is_followed_by_one_that_ends_it(
    scene: Scene, when: str, number: int
) -> None:
    with scene.worker("first", code=CODE.format(number=number, when=when)) as first:
        scene.switch(Level.FLATTEN)
        scene.until(lambda: first.process.poll() is not None, "the first worker dies")
        assert first.process.returncode == -signal.SIGKILL, first.log.read_text()
    # Its session is ended, as its time would: the fault is the kill, not the wait.
    _end_sessions(scene)
    with scene.worker("second") as second:
        scene.until(lambda: scene.outcomes() == "done", f"the run ends, see {second.log}")
    assert scene.flat()
    assert scene.closed() == {symbol: -quantity for symbol, quantity in POSITIONS.items()}
    assert scene.sql("SELECT count(*) FROM trading.flatten_steps WHERE step = 'cancelled'") == str(
        RESTING
    )
    assert scene.sql("SELECT count(*) FROM trading.flatten_steps WHERE step = 'done'") == "1"


def test_the_kill_points_are_all_there_are(scene: Scene) -> None:
    with scene.worker("first", code=CODE.format(number=CALLS + 1, when="after")) as worker:
        scene.switch(Level.FLATTEN)
        scene.until(lambda: scene.outcomes() == "done", f"the run ends, see {worker.log}")
        assert worker.process.poll() is None


def _end_sessions(scene: Scene) -> None:
    client = scene.consul.client
    for session in client.request("GET", "/v1/session/list") or []:
        client.session_destroy(session["ID"])
