"""PostgreSQL: a primary and a streaming replica of it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowrex import pgbackrest
from flowrex.errors import ConfigurationError, ServerRefused, ServerUnreachable
from flowrex.files import write_atomic
from flowrex.secret import Secret
from generator.dev import secrets
from generator.dev.layout import HOST, Layout
from generator.dev.postgres_install import programs, user
from generator.dev.process import Command, plain_environ

PRIMARY = "postgres"
REPLICA = "postgres-replica"
SUPERUSER = "postgres"
STANZA = "flowrex"

_REPLICATION_ROLE = "flowrex_replicator"
_SLOW_S = 120
# What the kernel takes as the path of a socket.
_SOCKET_LIMIT = 107
_INITDB = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums")
_BASEBACKUP = ("-U", _REPLICATION_ROLE, "--checkpoint=fast", "--wal-method=stream", "-R")

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


def command(layout: Layout, name: str) -> Command:
    """Return how the primary or the replica is started."""
    home = layout.data(name)
    argv = (str(programs() / "postgres"), "-D", str(home / "pgdata"))
    return Command(name, argv, cwd=home, environ={"HOME": str(home)}, user=user())


def prepare_primary(layout: Layout) -> None:
    """Make the primary's data folder the first time, and write its settings."""
    home = _home(layout, PRIMARY)
    data = home / "pgdata"
    if not data.exists():
        password = secrets.password(layout.secret("postgres-superuser"))
        fresh, passfile = home / "pgdata.new", home / "password"
        shutil.rmtree(fresh, ignore_errors=True)
        write_atomic(passfile, password.reveal() + "\n", mode=0o600)
        _give(passfile)
        try:
            _run(
                "initdb",
                ("-D", str(fresh), "-U", SUPERUSER, f"--pwfile={passfile}", *_INITDB),
                home,
            )
        finally:
            passfile.unlink(missing_ok=True)
        fresh.rename(data)
    _configure(data, primary_settings(layout))


def prepare_replica(layout: Layout) -> None:
    """Copy the primary, which must answer, the first time, and write the replica's settings."""
    home = _home(layout, REPLICA)
    data = home / "pgdata"
    password = secrets.password(layout.secret("postgres-replication"))
    passfile = home / "pgpass"
    write_atomic(passfile, f"{HOST}:*:*:*:{password.reveal()}\n", mode=0o600)
    _give(passfile)
    if not data.exists():
        query(layout, _replication_role(password))
        fresh = home / "pgdata.new"
        shutil.rmtree(fresh, ignore_errors=True)
        _run(
            "pg_basebackup",
            ("-D", str(fresh), "-h", HOST, "-p", str(layout.postgres), *_BASEBACKUP),
            home,
            {"PGPASSFILE": str(passfile)},
        )
        fresh.rename(data)
    primary = (
        f"host={HOST} port={layout.postgres} user={_REPLICATION_ROLE} passfile={passfile} "
        f"application_name={REPLICA}"
    )
    # What `-R` wrote would win over ours, and it names the port of the day.
    write_atomic(data / "postgresql.auto.conf", "")
    _give(data / "postgresql.auto.conf")
    _configure(data, settings(REPLICA, layout.replica, primary=primary))


def forget_replica(layout: Layout) -> None:
    """Remove the replica's data, so that it is copied afresh."""
    shutil.rmtree(layout.data(REPLICA) / "pgdata", ignore_errors=True)


def forget_lock(layout: Layout, name: str) -> None:
    """Remove the lock file of a PostgreSQL that was killed; none of its processes may be left.

    PostgreSQL itself takes a pid that nobody has waited for yet, or that another process has got
    since, for itself still running.
    """
    (layout.data(name) / "pgdata" / "postmaster.pid").unlink(missing_ok=True)


def problem(layout: Layout, name: str) -> str | None:
    """Return why a server is not ready, or None where it is.

    Args:
        layout: the cluster.
        name: `PRIMARY` or `REPLICA`.
    """
    port = layout.postgres if name == PRIMARY else layout.replica
    ready = subprocess.run(
        [programs() / "pg_isready", "-h", HOST, "-p", str(port), "-t", "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    if ready.returncode:
        return ready.stdout.strip() or "it does not answer"
    if name == PRIMARY:
        return None
    try:
        streaming = query(
            layout,
            "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'",
        )
    except ServerUnreachable as error:
        return error.message
    return None if streaming == "1" else "it does not stream from the primary"


def query(layout: Layout, sql: str) -> str:
    """Run SQL on the primary as the superuser and return what it prints.

    The statements go through standard input, the password through a file: neither is an argument.

    Raises:
        ServerRefused: PostgreSQL refuses them, or can't be connected to.
        ServerUnreachable: it does not answer.
    """
    password = secrets.password(layout.secret("postgres-superuser"))
    passfile = layout.secret("pgpass")
    line = f"{HOST}:*:*:{SUPERUSER}:{password.reveal()}"
    secrets.write(passfile, Secret(line))
    argv = [str(programs() / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]
    argv += ["-h", HOST, "-p", str(layout.postgres), "-U", SUPERUSER]
    done = _finished(
        argv,
        input=sql,
        env=plain_environ(("PGCONNECT_TIMEOUT", "5"), {"PGPASSFILE": str(passfile)}),
    )
    if done.returncode:
        raise ServerRefused(f"PostgreSQL at {HOST}:{layout.postgres}: {done.stderr.strip()}")
    return done.stdout.strip()


def _replication_role(password: Secret) -> str:
    # A statement that fails is logged, and this one holds a password.
    return f"""
SET log_min_error_statement = panic;
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{_REPLICATION_ROLE}') THEN
    CREATE ROLE {_REPLICATION_ROLE} LOGIN REPLICATION;
  END IF;
END $$;
ALTER ROLE {_REPLICATION_ROLE} PASSWORD '{password.reveal()}';
"""


def _home(layout: Layout, name: str) -> Path:
    home = layout.data(name)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    _give(home)
    if (owner := user()) and not _reaches(home, owner):
        raise ConfigurationError(
            f"the user `{owner}`, as whom PostgreSQL runs, can't reach {home}",
            hint="Give others `x` on the folders above it, or name another FLOWREX_DEV_DIR.",
        )
    return home


def _reaches(folder: Path, owner: str) -> bool:
    done = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        user=owner,
        group=owner,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def _configure(data: Path, text: str) -> None:
    # The agent may be the caller, or run as PostgreSQL's user.
    caller = pwd.getpwuid(os.geteuid()).pw_name
    people = {caller, user() or caller}
    files = {
        "postgresql.conf": text,
        "pg_hba.conf": _ACCESS.format(physical=pgbackrest.ROLE),
        "pg_ident.conf": "".join(f"flowrex {who} {pgbackrest.ROLE}\n" for who in sorted(people)),
    }
    for name, content in files.items():
        write_atomic(data / name, content, mode=0o600)
        _give(data / name)


def _give(path: Path) -> None:
    if owner := user():
        shutil.chown(path, owner, owner)


def _run(
    program: str, arguments: Sequence[str], home: Path, extra: dict[str, str] | None = None
) -> None:
    owner = user()
    done = _finished(
        [str(programs() / program), *arguments],
        cwd=home,
        env=plain_environ(("HOME", str(home)), extra or {}),
        stdin=subprocess.DEVNULL,
        user=owner,
        group=owner,
        extra_groups=[] if owner else None,
    )
    if done.returncode:
        raise ServerRefused(f"{program} failed: {done.stderr.strip() or done.stdout.strip()}")


def _finished(argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL's to its end, which may be a failure."""
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=_SLOW_S, **options
        )
    except subprocess.TimeoutExpired:
        raise ServerUnreachable(
            f"{Path(argv[0]).name} got no answer from PostgreSQL within {_SLOW_S} s",
            hint=f"`flowrexctl dev logs {PRIMARY}` may tell why.",
        ) from None
