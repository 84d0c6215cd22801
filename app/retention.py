"""`python -m app.retention`: delete the records of orders that have been kept for long enough."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from app import settings
from app.environ import Reader
from app.settings import DatabaseSettings
from app.store import credentials
from app.store.errors import DRIVER_ERRORS, describe
from flowrex import log
from flowrex.errors import ConfigurationError, FlowrexError, HardStop, ServerUnreachable

_log = logging.getLogger("app.retention")

_CONNECT_S = 10.0
_COMMAND_S = 60.0
# What trading.delete_expired refuses by itself; see app/migrations/versions/0003/retention.sql.
_EMERGENCY, _TOO_SHORT, _WRONG_CLOCK = "FX001", "FX006", "FX007"


@dataclass(frozen=True)
class RetentionSettings:
    """What the job is told.

    Attributes:
        database: PostgreSQL.
        keep_days: days that a closed order is kept.
        batch: orders deleted in one transaction, at most.
        dry_run: whether it only counts.
    """

    database: DatabaseSettings
    keep_days: int
    batch: int
    dry_run: bool


@dataclass(frozen=True)
class Deleted:
    """What one run deleted, or would."""

    orders: int = 0
    trades: int = 0

    def __add__(self, other: Deleted) -> Deleted:
        """Return both together."""
        return Deleted(self.orders + other.orders, self.trades + other.trades)


def load(environ: Mapping[str, str]) -> RetentionSettings:
    """Return the settings that the variables describe.

    Args:
        environ: the process's environment.

    Raises:
        ConfigurationError: variables are missing or wrong; every one is named.
    """
    read = Reader(environ)
    loaded = RetentionSettings(
        database=settings.database(read),
        keep_days=read.whole("FLOWREX_RETENTION_KEEP_DAYS", None, 1, 100_000),
        batch=read.whole("FLOWREX_RETENTION_BATCH", 1000, 1, 10_000),
        dry_run=read.choice("FLOWREX_RETENTION_DRY_RUN", "false", ("false", "true")) == "true",
    )
    read.refuse()
    return loaded


async def run(told: RetentionSettings, stopping: asyncio.Event) -> Deleted:
    """Count what has expired and, unless it is a dry run, delete it, a batch at a time.

    Args:
        told: the settings.
        stopping: set to end after the batch that is under way; what is left is the next run's.

    Returns:
        What was deleted; in a dry run, what would be.

    Raises:
        ConfigurationError: the credentials can't be read, or the time to keep is too short.
        HardStop: the database deletes nothing, since its clock must be wrong.
        ServerUnreachable: PostgreSQL can't be used.
    """
    lease = credentials.read(told.database.credentials)
    where = f"PostgreSQL at {told.database.host}:{told.database.port}"
    try:
        connection = await asyncpg.connect(
            host=told.database.host,
            port=told.database.port,
            database=told.database.name,
            user=lease.username,
            password=lease.password.reveal(),
            ssl=told.database.ssl_mode,
            timeout=_CONNECT_S,
            command_timeout=_COMMAND_S,
            server_settings={"application_name": "flowrex-retention"},
        )
        try:
            return await _work(connection, told, stopping)
        finally:
            await connection.close(timeout=_CONNECT_S)
    except asyncpg.PostgresError as error:
        raise _refusal(error) or ServerUnreachable(f"{where}: {describe(error)}") from error
    except DRIVER_ERRORS as error:
        raise ServerUnreachable(
            f"{where} can't be used: {describe(error)}",
            hint="What was deleted so far stays deleted; the next run goes on.",
        ) from error


async def _work(
    connection: asyncpg.Connection, told: RetentionSettings, stopping: asyncio.Event
) -> Deleted:
    row = await connection.fetchrow("SELECT * FROM trading.expired($1)", told.keep_days)
    due = Deleted(row["orders"], row["trades"])
    _log.info(
        "expired",
        extra={"before": row["before"].isoformat(), "orders": due.orders, "trades": due.trades},
    )
    if told.dry_run:
        return due
    done = Deleted()
    # Not beyond what had expired at the start: a run ends.
    while done.orders < due.orders and not stopping.is_set():
        most = min(told.batch, due.orders - done.orders)
        try:
            row = await connection.fetchrow(
                "SELECT * FROM trading.delete_expired($1, $2)", told.keep_days, most
            )
        except asyncpg.PostgresError as error:
            if error.sqlstate != _EMERGENCY:
                raise
            # What has happened may have to be looked into. The next run is after it.
            _log.warning("left off: %s", error)
            break
        if not row["orders"]:
            break
        done += Deleted(row["orders"], row["trades"])
    return done


def _refusal(error: asyncpg.PostgresError) -> FlowrexError | None:
    # These messages are the migration's own; they hold no credentials.
    if error.sqlstate == _TOO_SHORT:
        return ConfigurationError(
            str(error), hint="Raise `retention.keep_days` in jobs/environments/."
        )
    if error.sqlstate == _WRONG_CLOCK:
        return HardStop(
            str(error), hint="Compare the database's clock (SELECT now()) with the true time."
        )
    return None


async def _main(told: RetentionSettings) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    done = await run(told, stopping)
    what = "would be deleted" if told.dry_run else "deleted"
    _log.info(
        what, extra={"orders": done.orders, "trades": done.trades, "cut_off": stopping.is_set()}
    )


def main() -> None:
    """Read the environment and delete what has expired."""
    log.configure(
        os.environ.get("LOG_LEVEL") or "info",
        service="flowrex-retention",
        release=os.environ.get("FLOWREX_RELEASE", "unreleased"),
    )
    try:
        asyncio.run(_main(load(os.environ)))
    except FlowrexError as error:
        sys.stderr.write(f"{error.as_text()}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
