"""What PostgreSQL is told: its settings, who may come in, and where it archives."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from flowrex import pgbackrest
from generator.dev.layout import Layout
from generator.dev.postgres_install import user

PRIMARY = "postgres"
REPLICA = "postgres-replica"
STANZA = "flowrex"

# What the kernel takes as the path of a socket.
_SOCKET_LIMIT = 107

# Nothing is switched off that keeps data: what is written stays written, as in production.
_SETTINGS = """\
# Written by `flowrexctl dev up`; changes are lost.
cluster_name = '{name}'
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{socket}'
max_connections = 200
shared_buffers = 128MB
password_encryption = 'scram-sha-256'
wal_level = replica
max_wal_senders = 10
max_replication_slots = 10
wal_keep_size = 256MB
hot_standby = on
hot_standby_feedback = on
max_wal_size = 1GB
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
log_min_duration_statement = 1s
"""

# A command that fails is tried again, and the WAL is kept until it succeeds.
_ARCHIVING = """\
archive_mode = on
archive_timeout = 30s
archive_command = '{command}'
"""

_ACCESS = """\
# Written by `flowrexctl dev up`; changes are lost.
local all          {physical}    peer map=flowrex
host  all          all                 127.0.0.1/32  scram-sha-256
host  replication  flowrex_replicator  127.0.0.1/32  scram-sha-256
"""


def settings(
    name: str,
    port: int,
    *,
    primary: str | None = None,
    socket: Path | None = None,
    archive: str | None = None,
) -> str:
    """Return postgresql.conf.

    Args:
        name: the server's name.
        port: its port.
        primary: how a replica reaches its primary; None for the primary itself.
        socket: the folder of its socket; None for none.
        archive: the command that archives a segment; None archives nothing.
    """
    text = _SETTINGS.format(name=name, port=port, socket=socket or "")
    if archive:
        text += _ARCHIVING.format(command=archive)
    return text + (f"primary_conninfo = '{primary}'\n" if primary else "")


def primary_settings(layout: Layout) -> str:
    """Return the primary's postgresql.conf: it archives, and the agent comes by its socket."""
    socket = socket_dir(layout)
    archive = pgbackrest.archive_command(archive_config(layout), STANZA) if socket else None
    return settings(PRIMARY, layout.postgres, socket=socket, archive=archive)


def archive_config(layout: Layout) -> Path:
    """Return pgBackRest's configuration, which PostgreSQL's user and the agent read."""
    return layout.data(PRIMARY) / "pgbackrest.conf"


def socket_dir(layout: Layout) -> Path | None:
    """Return the folder of the primary's socket, or None where the path would be too long.

    pgBackRest comes by the socket alone, so that without one nothing is archived either.
    """
    home = layout.data(PRIMARY)
    return home if len(f"{home}/.s.PGSQL.{layout.postgres}") < _SOCKET_LIMIT else None


def access() -> dict[str, str]:
    """Return the files that say who may come in, by name."""
    # The agent may be the caller, or run as PostgreSQL's user.
    caller = pwd.getpwuid(os.geteuid()).pw_name
    people = sorted({caller, user() or caller})
    return {
        "pg_hba.conf": _ACCESS.format(physical=pgbackrest.ROLE),
        "pg_ident.conf": "".join(f"flowrex {who} {pgbackrest.ROLE}\n" for who in people),
    }
