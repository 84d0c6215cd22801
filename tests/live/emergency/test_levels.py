"""The kill switch on the running platform, level by level."""

from __future__ import annotations

import time

import pytest

from flowrex import keys
from flowrex.emergency import Level
from tests.cluster import eventually
from tests.live.emergency.conftest import Desk, ask

ACTIVE = [Level.HALT, Level.CANCEL, Level.FLATTEN, Level.STOP]


def instances(desk: Desk) -> list[tuple[str, int]]:
    found = [(one.address, one.port) for one in desk.consul.services("backend", passing_only=True)]
    assert len(found) == 2
    return found


@pytest.mark.parametrize("level", ACTIVE)
def test_a_level_holds_in_every_process_and_in_the_database_until_it_is_switched_off(
    desk: Desk, level: Level
) -> None:
    assert desk.order().status == 201
    index = desk.switch(level)
    desk.settled(index, level)
    for host, port in instances(desk):
        for _ in range(6):  # both processes of the instance
            answer = desk.order(host=host, port=port)
            assert answer.status == 503
            assert answer.document["refused"] == {
                "place": "api", "rule": "emergency", "level": level.word,
            }  # fmt: skip
            assert "a test" in answer.document["error"]
        ready = ask(port, "GET", "/health/ready", host=host)
        assert (ready.status, ready.document["emergency"]["level"]) == (200, level.word)
    eventually(lambda: desk.database_level() == level, what="the database's lock")
    if level < Level.FLATTEN:
        assert desk.order(side="sell", reduce_only=True).status == 201
        assert desk.positions() == {}

    index = desk.switch(Level.NORMAL, "over")
    desk.settled(index, Level.NORMAL)
    eventually(lambda: desk.database_level() == 0, what="the database's lock is lowered")
    assert desk.order().status == 201


@pytest.mark.parametrize("value", [b"on", b" ON\n", b"\xff\x00", b"", b'{"level": "panic"}'])
def test_a_bare_word_and_what_cant_be_read_are_halt(desk: Desk, value: bytes) -> None:
    index = desk.write(value)
    desk.settled(index, Level.HALT)
    assert desk.order().status == 503


def test_deleting_the_key_ends_nothing_and_a_bare_off_does(desk: Desk) -> None:
    desk.settled(desk.write("on"), Level.HALT)
    desk.consul.kv_delete(keys.EMERGENCY)
    # Longer than a blocking query: everybody has read that there is none.
    time.sleep(12)
    assert desk.database_level() == int(Level.HALT)
    assert desk.order().status == 503
    desk.write("off")
    eventually(lambda: desk.database_level() == 0, what="the database's lock is lowered")
    eventually(lambda: desk.order().status == 201, what="an order is accepted again")


def test_cancel_takes_open_orders_and_leaves_positions(desk: Desk) -> None:
    desk.order()
    for _ in range(3):
        assert desk.order(limit_price="1.01").document["status"] == "open"
    desk.switch(Level.CANCEL)
    eventually(lambda: desk.open_orders() == 0, what="every open order is cancelled")
    eventually(lambda: (desk.run_of_now() or [""])[0] == "done", what="the run is done")
    assert desk.positions() == {"EUR_USD": "1000"}


def test_flatten_closes_longs_and_shorts_and_writes_down_each_step(desk: Desk) -> None:
    desk.order(limit_price="1.01")
    desk.order(quantity="250000")
    desk.order(symbol="USD_JPY", side="sell", quantity="7000")
    desk.switch(Level.FLATTEN)
    eventually(lambda: desk.positions() == {}, what="every position is closed")
    eventually(lambda: (desk.run_of_now() or [""])[0] == "done", what="the run is done")
    assert desk.open_orders() == 0
    steps = desk.value(
        "SELECT string_agg(step || coalesce(' ' || symbol, ''), ', ' ORDER BY id)"
        " FROM trading.flatten_steps WHERE change = (SELECT change FROM trading.emergency)"
    )
    assert steps == ("taken, cancelled EUR_USD, closed EUR_USD, closed USD_JPY, done")


def test_a_higher_level_is_another_run_and_a_lower_one_calls_off_what_is_not_done(
    desk: Desk,
) -> None:
    desk.order()
    desk.switch(Level.CANCEL)
    eventually(lambda: (desk.run_of_now() or [""])[0] == "done", what="the run is done")
    desk.market("EUR_USD", tradable=False)
    desk.switch(Level.FLATTEN)
    eventually(
        lambda: desk.database_level() == Level.FLATTEN and desk.run_of_now(),
        what="the higher level's own run begins",
    )
    change = desk.value("SELECT change FROM trading.emergency")
    eventually(
        lambda: desk.value(
            "SELECT count(*) FROM trading.flatten_steps WHERE step = 'refused'"
            f" AND change = {change}"
        ),
        what="the broker's refusal is written down",
    )
    desk.switch(Level.HALT)
    outcome = f"SELECT outcome FROM trading.flatten_runs WHERE change = {change}"
    eventually(lambda: desk.value(outcome) == "called_off", what="the run is called off")
    assert desk.positions() == {"EUR_USD": "1000"}


def test_stop_is_maintenance_for_all_but_the_operators_and_health(desk: Desk) -> None:
    port = desk.cluster.base + 80
    desk.switch(Level.STOP)
    eventually(lambda: ask(port, "GET", "/api/v1/version").status == 503, what="maintenance")
    turned_away = ask(port, "GET", "/api/v1/version")
    assert turned_away.headers["retry-after"] == "120"
    assert turned_away.document["error"] == "maintenance"
    page = ask(port, "GET", "/")
    assert (page.status, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "maintenance" in page.body
    for path in ("/health", "/health/ready", "/nginx/health", "/metrics"):
        assert ask(port, "GET", path).status == 200, path
    assert ask(port, "GET", "/api/v1/version", source="127.0.0.9").status == 200
    desk.switch(Level.NORMAL)
    eventually(lambda: ask(port, "GET", "/api/v1/version").status == 200, what="the end of it")


@pytest.mark.parametrize("word", ["on", "ON\n"])
def test_the_maintenance_switch_alone(desk: Desk, word: str) -> None:
    port = desk.cluster.base + 80
    desk.consul.kv_put(keys.MAINTENANCE, word)
    try:
        eventually(lambda: ask(port, "GET", "/api/v1/version").status == 503, what="maintenance")
    finally:
        desk.consul.kv_put(keys.MAINTENANCE, "off")
    eventually(lambda: ask(port, "GET", "/api/v1/version").status == 200, what="the end of it")
