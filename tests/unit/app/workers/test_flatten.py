from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import pytest

from app.brokers import Broker, BrokerRefused
from app.domain.orders import OpenOrder, Order, Position
from app.metrics import Metrics
from app.store.book import Book
from app.store.emergency import Locked
from app.store.flatten import Fenced, FlattenStore, Record, Run
from app.workers.flatten import Flatten
from flowrex.emergency import Level

FLATTEN = Locked(Level.FLATTEN, 50, 7)
RESTING = OpenOrder("a", "EUR_USD", "buy", Decimal(5), False)


@dataclass
class Store:
    """Runs and a book in memory, as `app.store.flatten` keeps them."""

    orders: list[OpenOrder] = field(default_factory=list)
    held: dict[str, Decimal] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    fences: dict[int, int] = field(default_factory=dict)
    refuses: int = 0
    done: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def take(self, locked: Locked, holder: str) -> Run | None:
        if locked.change in self.ended:
            return None
        self.fences[locked.change] = self.fences.get(locked.change, 0) + 1
        return Run(locked.change, self.fences[locked.change], holder)

    def _mine(self, run: Run) -> None:
        if self.fences[run.change] != run.fence or run.change in self.ended:
            raise Fenced("another's")

    async def book(self) -> Book:
        held = (Position(symbol, quantity) for symbol, quantity in self.held.items())
        return Book(tuple(self.orders), tuple(held))

    async def record(self, run: Run, record: Record) -> None:
        self._mine(run)
        self.done.append(record.step)

    async def cancel(self, run: Run, order_id: str, symbol: str) -> None:
        self._mine(run)
        self.orders = [order for order in self.orders if order.id != order_id]
        self.done.append(f"cancel {order_id}")

    async def close(self, run: Run, order: Order, key: str, broker: Broker) -> None:
        self._mine(run)
        if self.refuses:
            self.refuses -= 1
            raise BrokerRefused("closed")
        self.keys.append(key)
        self.held[order.symbol] += order.change
        self.done.append(f"close {order.symbol} {order.change}")

    async def call_off(self, holder: str, current: int | None = None) -> int:
        over = [change for change in self.fences if change not in self.ended | {current}]
        self.ended.update(over)
        return len(over)

    async def end(self, run: Run) -> None:
        self._mine(run)
        self.ended.add(run.change)
        self.done.append("done")


@dataclass
class Rig:
    store: Store
    slept: list[float] = field(default_factory=list)

    def worker(self, name: str = "one") -> Flatten:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        store, broker = cast(FlattenStore, self.store), cast(Broker, None)
        return Flatten(store, broker, Metrics("1", "test"), name, sleep=sleep)


@pytest.fixture
def rig() -> Rig:
    held = {"EUR_USD": Decimal(1_500_000), "USD_JPY": Decimal(-7)}
    return Rig(Store([RESTING], held))


def always() -> bool:
    return True


async def test_it_cancels_then_closes_and_reads_again_until_nothing_is_left(rig: Rig) -> None:
    assert await rig.worker().proceed(FLATTEN, always)
    assert rig.store.done == [
        "cancel a",
        "close EUR_USD -1000000",
        "close USD_JPY 7",
        "close EUR_USD -500000",
        "done",
    ]
    assert len(set(rig.store.keys)) == 3


async def test_a_run_that_is_done_is_not_begun_again_by_anybody(rig: Rig) -> None:
    first = rig.worker()
    await first.proceed(FLATTEN, always)
    before = list(rig.store.done)
    rig.store.held["EUR_USD"] = Decimal(1)
    for worker in (first, rig.worker("two")):
        assert await worker.proceed(FLATTEN, always)
    assert rig.store.done == before


async def test_another_change_is_another_run(rig: Rig) -> None:
    worker = rig.worker()
    await worker.proceed(FLATTEN, always)
    rig.store.held["EUR_USD"] = Decimal(3)
    await worker.proceed(Locked(Level.FLATTEN, 60, 8), always)
    assert rig.store.done[-2:] == ["close EUR_USD -3", "done"]


async def test_refusals_are_written_down_and_tried_again_with_longer_pauses(rig: Rig) -> None:
    rig.store.refuses = 6
    await rig.worker().proceed(FLATTEN, always)
    assert rig.store.done.count("refused") == 6
    assert rig.slept == [0.5, 1.0, 2.0]
    assert rig.store.done[-1] == "done"


async def test_it_stops_between_two_steps_where_it_may_not_act_any_more(rig: Rig) -> None:
    left = iter([True, True, True, True, False])
    assert not await rig.worker().proceed(FLATTEN, lambda: next(left, False))
    assert rig.store.done == ["cancel a", "close EUR_USD -1000000"]


async def test_a_worker_whose_run_was_taken_over_does_nothing_more(rig: Rig) -> None:
    first, second = rig.worker("one"), rig.worker("two")
    once = iter([True, True])
    await first.proceed(FLATTEN, lambda: next(once, False))
    assert rig.store.done == ["cancel a"]
    await rig.store.take(FLATTEN, "two")
    assert not await first.proceed(FLATTEN, always)
    assert rig.store.done == ["cancel a"]
    # Where it leads again, it takes the run over in turn.
    assert await first.proceed(FLATTEN, always)
    assert rig.store.done[-1] == "done"
    assert await second.proceed(FLATTEN, always)


async def test_what_is_over_is_called_off_once(rig: Rig) -> None:
    worker = rig.worker()
    await worker.proceed(FLATTEN, lambda: False)
    normal = Locked(Level.NORMAL, 60, 8)
    await worker.call_off(normal)
    await worker.call_off(normal)
    assert rig.store.ended == {7}
    assert not rig.store.done


async def test_cancel_leaves_positions(rig: Rig) -> None:
    held: Any = dict(rig.store.held)
    await rig.worker().proceed(Locked(Level.CANCEL, 50, 7), always)
    assert rig.store.done == ["cancel a", "done"]
    assert rig.store.held == held
