"""How Alembic reaches the database; `app.migrate` calls it."""

from __future__ import annotations

import asyncio
import logging

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.settings import DatabaseSettings
from app.store.credentials import Credentials

_log = logging.getLogger("app.migrate")

# The applications' role can't look into this schema.
_SCHEMA = "migrations"
# Any number will do; it is this program's lock in this database.
_LOCK = 7_316_501
_WAIT_FOR_OTHERS = "60s"
_WAIT_FOR_TABLES = "10s"


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        version_table="alembic_version",
        version_table_schema=_SCHEMA,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        connection.execute(text(f"SET LOCAL lock_timeout = '{_WAIT_FOR_OTHERS}'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{_WAIT_FOR_TABLES}'"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}"))
        context.run_migrations()
    _log.info("the schema is at %s", context.get_head_revision())


async def _migrate(settings: DatabaseSettings, lease: Credentials) -> None:
    engine = create_async_engine(
        URL.create(
            "postgresql+asyncpg",
            username=lease.username,
            password=lease.password.reveal(),
            host=settings.host,
            port=settings.port,
            database=settings.name,
        ),
        poolclass=NullPool,
        connect_args={
            "ssl": settings.ssl_mode,
            "timeout": 10,
            "server_settings": {"application_name": "flowrex-migrate"},
        },
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


asyncio.run(_migrate(context.config.attributes["database"], context.config.attributes["lease"]))
