"""The record of what an emergency's worker does: runs, their fences, and every step.

A step and its record are one transaction, and each begins with the run's row: whoever does not hold
its fence any more changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from app.brokers import Broker, BrokerRefused
from app.domain.orders import Order
from app.store import book
from app.store.emergency import Locked
from app.store.pool import Database
from app.store.read import read
from app.store.write import transaction
from flowrex.errors import FlowrexError

# Who an order of the worker's is placed by.
ACTOR = "flowrex-worker"

StepName = Literal["taken", "cancelled", "closed", "refused", "done", "called_off"]


class Fenced(FlowrexError):
    """Another worker has taken the run over, or it has ended."""


@dataclass(frozen=True)
class Run:
    """One emergency's run, as the worker that works on it knows it.

    Attributes:
        change: which change of the emergency it answers.
        fence: the number by which the database knows that worker.
        holder: its name.
    """

    change: int
    fence: int
    holder: str


@dataclass(frozen=True)
class Record:
    """What is written of a step."""

    step: StepName
    symbol: str | None = None
    order_id: str | None = None
    quantity: Decimal | None = None
    detail: str = ""


Tell = Callable[[Run, Record], Awaitable[None]]


class FlattenStore:
    """The runs in one database."""

    def __init__(self, database: Database, tell: Tell) -> None:
        """Remember the parts.

        Args:
            database: where the runs are.
            tell: is told of each step when it is committed.
        """
        self._database = database
        self._tell = tell

    async def take(self, locked: Locked, holder: str) -> Run | None:
        """Begin the run of an emergency, or take it over from a worker before.

        Args:
            locked: the emergency.
            holder: this worker's name.

        Returns:
            The run; None where it has ended already, with this worker or another.
        """
        async with transaction(self._database) as connection:
            fence = await connection.fetchval(
                "INSERT INTO trading.flatten_runs AS run (change, index, level, holder)"
                " VALUES ($1, $2, $3, $4) ON CONFLICT (change) DO UPDATE"
                " SET fence = run.fence + 1, holder = $4 WHERE run.ended_at IS NULL"
                " RETURNING fence",
                locked.change,
                locked.index,
                int(locked.level),
                holder,
            )
            if fence is None:
                return None
            run = Run(locked.change, fence, holder)
            await _record(connection, run, Record("taken"))
        await self._tell(run, Record("taken"))
        return run

    async def book(self) -> book.Book:
        """Return what is open now."""
        return await read(self._database, book.read)

    @asynccontextmanager
    async def step(self, run: Run) -> AsyncIterator[Any]:
        """Lend a transaction of the run.

        Raises:
            Fenced: the run is another worker's now.
        """
        async with transaction(self._database) as connection:
            mine = await connection.fetchval(
                "UPDATE trading.flatten_runs SET holder = $3"
                " WHERE change = $1 AND fence = $2 AND ended_at IS NULL RETURNING true",
                run.change,
                run.fence,
                run.holder,
            )
            if not mine:
                raise Fenced(f"run {run.change} is not this worker's any more")
            yield connection

    async def record(self, run: Run, record: Record) -> None:
        """Write a step that changed nothing else."""
        async with self.step(run) as connection:
            await _record(connection, run, record)
        await self._tell(run, record)

    async def cancel(self, run: Run, order_id: str, symbol: str) -> None:
        """Cancel an order; one that is not open any more needs no record."""
        async with self.step(run) as connection:
            if await book.cancel(connection, order_id) != "cancelled":
                return
            record = Record("cancelled", symbol, order_id)
            await _record(connection, run, record)
        await self._tell(run, record)

    async def close(self, run: Run, order: Order, key: str, broker: Broker) -> None:
        """Trade a position away, or a part of it.

        Args:
            run: whose step it is.
            order: an exit, filled as a whole.
            key: its idempotency key.
            broker: where it is filled.

        Raises:
            BrokerRefused: nothing was traded.
            BookRefused: it is no exit any more.
        """
        async with self.step(run) as connection:
            price = await broker.price(connection, order)
            if price is None:
                raise BrokerRefused(f"the broker leaves {order.symbol} unfilled")
            order_id = await book.add(connection, order, key, ACTOR)
            await book.fill(connection, order_id, price)
            detail = f"at {price.normalize():f}"
            record = Record("closed", order.symbol, order_id, order.change, detail)
            await _record(connection, run, record)
        await self._tell(run, record)

    async def call_off(self, holder: str, current: int | None = None) -> int:
        """End every run that is open, because its emergency is over; return how many.

        Args:
            holder: this worker's name.
            current: the change whose run goes on.
        """
        async with transaction(self._database) as connection:
            rows = await connection.fetch(
                "UPDATE trading.flatten_runs SET ended_at = clock_timestamp(),"
                " outcome = 'called_off' WHERE ended_at IS NULL AND change IS DISTINCT FROM $1"
                " RETURNING change, fence",
                current,
            )
            runs = [Run(row["change"], row["fence"], holder) for row in rows]
            for run in runs:
                await _record(connection, run, Record("called_off"))
        for run in runs:
            await self._tell(run, Record("called_off"))
        return len(runs)

    async def end(self, run: Run) -> None:
        """End the run for good, because nothing is left: no restart begins it again."""
        async with self.step(run) as connection:
            await _record(connection, run, Record("done"))
            await connection.execute(
                "UPDATE trading.flatten_runs SET ended_at = clock_timestamp(), outcome = 'done'"
                " WHERE change = $1",
                run.change,
            )
        await self._tell(run, Record("done"))


async def _record(connection: Any, run: Run, record: Record) -> None:
    await connection.execute(
        "INSERT INTO trading.flatten_steps"
        " (change, fence, step, symbol, order_id, quantity, detail, holder)"
        " VALUES ($1, $2, $3, $4, $5::text::uuid, $6, $7, $8)",
        run.change,
        run.fence,
        record.step,
        record.symbol,
        record.order_id,
        record.quantity,
        record.detail,
        run.holder,
    )
