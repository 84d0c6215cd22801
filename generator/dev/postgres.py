"""PostgreSQL: a primary and a streaming replica of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowrex.errors import ConfigurationError, ServerRefused, ServerUnreachable
from flowrex.files import write_atomic
from flowrex.secret import Secret
from generator.dev import secrets
from generator.dev.layout import HOST, Layout
from generator.dev.postgres_install import programs, user
from generator.dev.postgres_settings import (
    PRIMARY,
    REPLICA,
    access,
    primary_settings,
    settings,
)
from generator.dev.process import Command, plain_environ

SUPERUSER = "postgres"

_REPLICATION_ROLE = "flowrex_replicator"
_SLOW_S = 120
_INITDB = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums")
_BASEBACKUP = ("-U", _REPLICATION_ROLE, "--checkpoint=fast", "--wal-method=stream", "-R")


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
    """Remove the lock files of a PostgreSQL that was killed; none of its processes may be left.

    PostgreSQL itself takes a pid that nobody has waited for yet, or that another process has got
    since, for itself still running.
    """
    home = layout.data(name)
    for lock in (home / "pgdata" / "postmaster.pid", *home.glob(".s.PGSQL.*.lock")):
        lock.unlink(missing_ok=True)


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
    for name, content in {"postgresql.conf": text, **access()}.items():
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
