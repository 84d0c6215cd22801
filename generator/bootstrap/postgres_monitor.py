"""What PostgreSQL must look like to be watched: who may see its statistics.

    flowrex_monitor  sees settings, statistics and who is connected; no rows

Vault makes short-lived logins in it, for the job postgres-exporter. They connect to the database
that no restore replaces, whose rights last.
"""

from __future__ import annotations

from flowrex.pgbackrest import LOGIN_DATABASE
from generator.bootstrap.postgres_backup import connects, members_of
from generator.bootstrap.postgres_plan import Wish, admin_of, role

MONITOR = "flowrex_monitor"


def cluster_wishes() -> tuple[Wish, ...]:
    """Return what must hold in the whole server."""
    return (role(MONITOR, "NOLOGIN"), members_of(MONITOR, "pg_monitor"), admin_of(MONITOR))


def login_wishes() -> tuple[Wish, ...]:
    """Return what must hold inside the database that it looks from, `LOGIN_DATABASE`."""
    return (connects(MONITOR, LOGIN_DATABASE),)
