"""Workers that are stopped for a while, Consul that loses its data, a broker that refuses."""

from __future__ import annotations

import signal
import time

from flowrex import keys
from flowrex.emergency import Level
from tests.faults.emergency.conftest import POSITIONS, Scene


def leads(scene: Scene, name: str) -> bool:
    entry = scene.consul.client.kv_get(keys.flatten_lock())
    return bool(entry and entry.session and f'"{name[:8]}-'.encode() in entry.value)


def test_a_leader_that_was_paused_does_nothing_after_another_took_over(scene: Scene) -> None:
    scene.sql("UPDATE trading.paper_quotes SET tradable = false WHERE symbol = 'XAU_USD'")
    with scene.worker("first") as first:
        scene.until(lambda: leads(scene, "first"), "the first worker leads")
        with scene.worker("second"):
            scene.switch(Level.FLATTEN)
            scene.until(lambda: len(scene.closed()) == 2, "all but one position is closed")
            first.send(signal.SIGSTOP)
            scene.until(lambda: leads(scene, "second"), "the session expires, the second leads")
            scene.until(
                lambda: scene.sql("SELECT fence FROM trading.flatten_runs") == "2",
                "the second takes the run over",
            )
            first.send(signal.SIGCONT)
            time.sleep(3)
            by_first = "SELECT count(*) FROM trading.flatten_steps WHERE fence = 1 AND at >"
            by_first += " (SELECT min(at) FROM trading.flatten_steps WHERE fence = 2)"
            assert scene.sql(by_first) == "0"
            scene.sql("UPDATE trading.paper_quotes SET tradable = true")
            scene.until(scene.flat, "the second closes the rest")
    assert scene.closed() == {symbol: -quantity for symbol, quantity in POSITIONS.items()}
    assert scene.outcomes() == "done"


def test_a_broker_that_refuses_is_asked_again_until_the_book_is_flat(scene: Scene) -> None:
    scene.sql("UPDATE trading.paper_quotes SET tradable = false")
    with scene.worker("first"):
        scene.switch(Level.FLATTEN)
        refused = "SELECT count(*) FROM trading.flatten_steps WHERE step = 'refused'"
        scene.until(lambda: int(scene.sql(refused)) >= 6, "each position is refused twice")
        assert not scene.flat()
        scene.sql("UPDATE trading.paper_quotes SET tradable = true")
        scene.until(scene.flat, "the book is flat")


def test_a_consul_that_lost_its_data_ends_no_emergency_and_begins_none_again(scene: Scene) -> None:
    level = "SELECT level FROM trading.emergency"
    for _ in range(30):
        scene.consul.client.kv_put("flowrex/test/index", str(time.time_ns()))
    with scene.worker("first") as worker:
        scene.switch(Level.CANCEL)
        scene.until(lambda: scene.outcomes() == "done", "open orders are cancelled")
        scene.consul.stop()
        scene.consul.start()
        scene.until(lambda: leads(scene, "first"), "the worker has found the new Consul")
        time.sleep(2)
        assert scene.sql(level) == str(int(Level.CANCEL))
        # A bare off has no time, so it may be older than the emergency.
        scene.consul.client.kv_put(keys.EMERGENCY, "off")
        time.sleep(2)
        assert scene.sql(level) == str(int(Level.CANCEL))
        scene.consul.client.kv_delete(keys.EMERGENCY)
        # Nor does a missing key, once Consul has counted on, as it does after a restore.
        raised_at = int(scene.sql("SELECT index FROM trading.emergency"))
        while scene.consul.client.kv_wait(keys.EMERGENCY, 0, 1)[1] <= raised_at:
            scene.consul.client.kv_put("flowrex/test/index", str(time.time_ns()))
        time.sleep(2)
        assert scene.sql(level) == str(int(Level.CANCEL))
        assert scene.outcomes() == "done"
        # A higher level counts at once, with whatever index.
        scene.switch(Level.FLATTEN)
        scene.until(scene.flat, f"the book is flat, see {worker.log}")
        time.sleep(1.1)
        scene.switch(Level.NORMAL)
        scene.until(lambda: scene.sql(level) == "0", "an off with a time ends it")
    assert scene.outcomes() == "done,done"


def test_a_database_that_goes_away_in_the_middle_is_waited_for(scene: Scene) -> None:
    scene.sql("UPDATE trading.paper_quotes SET tradable = false WHERE symbol = 'XAU_USD'")
    with scene.worker("first") as worker:
        scene.switch(Level.FLATTEN)
        scene.until(lambda: len(scene.closed()) == 2, "all but one position is closed")
        scene.place.database.stop()
        time.sleep(2)
        scene.place.database.start()
        scene.sql("UPDATE trading.paper_quotes SET tradable = true")
        scene.until(scene.flat, f"the book is flat, see {worker.log}")
        assert worker.process.poll() is None
    assert scene.closed() == {symbol: -quantity for symbol, quantity in POSITIONS.items()}


def test_a_worker_that_starts_without_consul_acts_on_nothing_and_lowers_nothing(
    scene: Scene,
) -> None:
    scene.sql("SELECT trading.change_emergency(3::smallint, 50, '', '', '')")
    scene.consul.stop()
    try:
        with scene.worker("first") as worker:
            time.sleep(5)
            assert worker.process.poll() is None
            assert scene.sql("SELECT level FROM trading.emergency") == "3"
            assert scene.outcomes() == ""
    finally:
        scene.consul.start()


def test_a_worker_that_remembers_nothing_lowers_nothing_for_a_key_that_is_gone(
    scene: Scene,
) -> None:
    level = "SELECT level FROM trading.emergency"
    scene.sql("SELECT trading.change_emergency(3::smallint, 1, '', '', '')")
    with scene.worker("first") as worker:
        scene.until(lambda: leads(scene, "first"), "the worker leads")
        time.sleep(3)
        assert scene.sql(level) == "3"
        assert worker.process.poll() is None
        scene.consul.client.kv_put(keys.EMERGENCY, "off")
        scene.until(lambda: scene.sql(level) == "0", "an explicit off lowers it")
