"""The kill switch while the platform's own parts die, restart or go away."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flowrex import keys
from flowrex.emergency import Level
from tests.cluster import eventually
from tests.live.emergency.conftest import Desk, ask

# dev.yaml's emergency.grace_seconds.
GRACE_S = 15


def leader(desk: Desk) -> tuple[str, int]:
    """Return the name and the process of the worker that leads."""

    def held() -> str:
        entry = desk.consul.kv_get(keys.flatten_lock())
        return json.loads(entry.value)["holder"] if entry and entry.session else ""

    name: str = eventually(held, what="a worker leads")
    return name, int(name.rpartition("-")[2])


def restart(desk: Desk, job: str) -> None:
    """Restart every task of a job where it is, as an operator does."""
    for one in desk.cluster.allocations(job):
        # It answers when the task has stopped, which a backend takes its time for.
        path = f"client/allocation/{one['ID']}/restart"
        desk.cluster.nomad(path, {"AllTasks": True}, timeout=60)


def processes(desk: Desk) -> set[str]:
    """Return the backend's processes that have said something of the switch."""
    found = desk.consul.kv_list(f"{keys.ACKNOWLEDGEMENTS}backend/")
    return {one.key.rpartition("/")[2] for one in found}


def consul_pid(desk: Desk) -> int:
    """Return the process of the cluster's one Consul server."""
    state = json.loads((desk.cluster.state / "cluster.json").read_text())
    return int(state["servers"]["consul-1"]["identity"]["pid"])


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process stand still for the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def runs(desk: Desk) -> list[tuple[Any, ...]]:
    row = desk.database.row(
        "SELECT coalesce(json_agg(json_build_array(change, fence, outcome) ORDER BY change), '[]')"
        "::text FROM trading.flatten_runs WHERE change = (SELECT change FROM trading.emergency)"
    )
    assert row is not None
    return [tuple(one) for one in json.loads(row[0])]


def test_a_worker_that_is_killed_while_it_flattens_is_followed_by_another(desk: Desk) -> None:
    desk.order()
    desk.order(symbol="USD_JPY", side="sell")
    desk.market("USD_JPY", tradable=False)
    name, pid = leader(desk)
    desk.switch(Level.FLATTEN)
    eventually(lambda: desk.positions() == {"USD_JPY": "-1000"}, what="half of it is closed")
    os.kill(pid, signal.SIGKILL)
    assert leader(desk)[0] == name  # its session outlives it
    desk.market("USD_JPY", tradable=True)
    eventually(lambda: desk.positions() == {}, within=45, what="the rest is closed by another")
    outcome, fence, holder = eventually(
        lambda: (found := desk.run_of_now()) and found[0] and found, what="the run is done"
    )
    assert (outcome, fence) == ("done", 2)
    assert holder != f"worker/{name}"


def test_a_restart_of_every_worker_triggers_nothing_again(desk: Desk) -> None:
    desk.order()
    index = desk.switch(Level.FLATTEN)
    eventually(lambda: (desk.run_of_now() or [""])[0] == "done", what="the run is done")
    before = runs(desk)
    restart(desk, "worker")
    eventually(
        lambda: desk.acknowledged("worker", index, Level.FLATTEN) >= 2, within=60,
        what="the new workers see it",
    )  # fmt: skip
    leader(desk)
    time.sleep(3)
    assert runs(desk) == before


def test_a_restart_of_every_worker_forgets_nothing(desk: Desk) -> None:
    desk.order()
    desk.market("EUR_USD", tradable=False)
    desk.switch(Level.FLATTEN)
    eventually(lambda: runs(desk), what="the run has begun")
    restart(desk, "worker")
    desk.market("EUR_USD", tradable=True)
    eventually(lambda: desk.positions() == {}, within=60, what="the position is closed")


def test_a_backend_that_is_restarted_in_an_emergency_refuses_from_its_first_answer(
    desk: Desk,
) -> None:
    index = desk.switch(Level.HALT)
    desk.settled(index, Level.HALT)
    before = processes(desk)
    (instance, *_) = desk.consul.services("backend", passing_only=True)
    restart(desk, "backend")
    seen: list[int] = []

    def refused_by_new_ones() -> bool:
        try:
            seen.append(desk.order(host=instance.address, port=instance.port).status)
        except OSError:
            seen.append(0)
        new = processes(desk) - before
        return len(new) == 4 and seen[-1] != 0

    eventually(refused_by_new_ones, within=90, every=0.02, what="new processes answer")
    # 0 while nobody listens, where that was seen; nothing else but a refusal.
    assert set(seen) - {0} == {503}


def test_consul_that_hangs_is_unknown_and_after_the_grace_time_new_risk_is_refused(
    desk: Desk,
) -> None:
    desk.order()
    port = desk.cluster.base + 80
    with stopped(consul_pid(desk)):
        began = time.monotonic()
        assert desk.order().status == 201  # the last value is kept for the grace time
        refused = eventually(
            lambda: (answer := desk.order()).status == 503 and answer, within=60, every=0.5,
            what="new risk is refused",
        )  # fmt: skip
        # No sooner; how much later is the machine's matter.
        assert time.monotonic() - began > GRACE_S - 6
        assert "could not be read" in refused.document["error"]
        assert refused.document["refused"]["level"] == "halt"
        assert desk.order(side="sell", reduce_only=True).status == 201
        assert desk.database_level() == 0  # one that can't see does not stop those that can
        ready = ask(port, "GET", "/health/ready").document["emergency"]
        assert ready["unknown"] and ready["unknown_seconds"] > GRACE_S
        metrics = ask(port, "GET", "/metrics").body
        (line,) = [
            line for line in metrics.splitlines()
            if line.startswith("flowrex_emergency_unknown_seconds ")
        ]  # fmt: skip
        assert float(line.split()[1]) > GRACE_S
    eventually(lambda: desk.order().status == 201, within=60, what="it is known again")


def test_consul_that_goes_away_in_an_emergency_ends_nothing(desk: Desk) -> None:
    desk.order()
    index = desk.switch(Level.HALT, "before Consul went away")
    desk.settled(index, Level.HALT)
    with stopped(consul_pid(desk)):
        restart_at = time.monotonic()
        while time.monotonic() - restart_at < GRACE_S + 5:
            answer = desk.order()
            assert answer.status == 503
            assert "before Consul went away" in answer.document["error"]
            time.sleep(1)
    desk.settled(index, Level.HALT)
    assert desk.order().status == 503
