# ruff: noqa: S608 - every name in these queries is a constant, or the environment's checked identifier
"""What PostgreSQL must look like for physical backups: who may begin and end one.

    flowrex_physical  begins and ends a backup and sees how the archiver gets on; no rows

It logs in by the socket alone, as the system's user of the agent (`peer` in pg_hba.conf), and has
no password. What pgBackRest copies, it reads from the data folder, which that user's group may.
"""

from __future__ import annotations

from flowrex.pgbackrest import LOGIN_DATABASE, ROLE
from generator.bootstrap.postgres_backup import connects, members_of
from generator.bootstrap.postgres_plan import Wish, role

# Only superusers may call these, unless it is given.
_FUNCTIONS = (
    "pg_backup_start(text, boolean)",
    "pg_backup_stop(boolean)",
    "pg_create_restore_point(text)",
    "pg_switch_wal()",
    # How many segments wait for the archiver.
    "pg_ls_archive_statusdir()",
)


def cluster_wishes() -> tuple[Wish, ...]:
    """Return what must hold in the whole server."""
    # pgBackRest compares data_directory with its own setting.
    return (role(ROLE, "LOGIN"), members_of(ROLE, "pg_read_all_settings"))


def login_wishes() -> tuple[Wish, ...]:
    """Return what must hold inside the database that it logs in to, `LOGIN_DATABASE`."""
    may = " AND ".join(
        f"has_function_privilege('{ROLE}', 'pg_catalog.{function}', 'EXECUTE')"
        for function in _FUNCTIONS
    )
    grants = tuple(
        f"GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {ROLE}" for function in _FUNCTIONS
    )
    return (
        connects(ROLE, LOGIN_DATABASE),
        Wish(
            f"functions of a backup for {ROLE}",
            f"SELECT c, c FROM (SELECT {may} AS c) AS f",
            grants,
        ),
    )
