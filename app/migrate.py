"""`python -m app.migrate`: bring the database's schema to what this release expects."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from app.settings import DatabaseSettings, load_database
from app.store import credentials
from app.store.errors import describe
from flowrex import log
from flowrex.errors import FlowrexError, ServerUnreachable

FOLDER = Path(__file__).parent / "migrations"


def migrate(settings: DatabaseSettings, revision: str = "head") -> None:
    """Run the migrations that the database has not seen, all in one transaction.

    Two at once wait for each other; a table that is in use is given up on after a while instead of
    being blocked for everybody.

    Args:
        settings: where the database is, and the credentials of a login that may change it.
        revision: up to which migration.

    Raises:
        ConfigurationError: the credentials can't be read.
        ServerUnreachable: the database can't be reached, or refuses.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    lease = credentials.read(settings.credentials)
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["database"] = settings
    config.attributes["lease"] = lease
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise ServerUnreachable(
            f"the migrations can't start: {error}",
            hint="A database that a newer release has migrated needs that release's migrations.",
        ) from error
    except DBAPIError as error:
        text = str(error.orig).replace(lease.username, "…") if error.orig else ""
        raise ServerUnreachable(
            f"the database {settings.name} at {settings.host}:{settings.port} refuses the "
            f"migration: {text}",
            hint="Nothing was changed: all migrations of a run are one transaction.",
        ) from error
    except OSError as error:
        raise ServerUnreachable(
            f"PostgreSQL at {settings.host}:{settings.port} can't be used: {describe(error)}",
            hint="Check that it runs, then start the migration again.",
        ) from error


def main() -> None:
    """Read the environment and migrate."""
    log.configure(
        os.environ.get("LOG_LEVEL") or "info",
        service="flowrex-migrate",
        release=os.environ.get("FLOWREX_RELEASE", "unreleased"),
    )
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    try:
        migrate(load_database(os.environ))
    except FlowrexError as error:
        sys.stderr.write(f"{error.as_text()}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
