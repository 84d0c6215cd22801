"""A PostgreSQL of its own for a while: another data folder, a socket and no port."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.backup.access import Access, Server
from agents.backup.psql import Tick
from flowrex.errors import ConfigurationError, ServerRefused

log = logging.getLogger(__name__)

_PREFIX = "scratch-"
_PORT = 5432
_START_WITHIN_S = 60.0
_END_WITHIN_S = 60.0
_USER = "postgres"
# It is thrown away: what it costs to survive a crash is saved.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "shared_buffers": "64MB",
    "max_connections": "10",
    "autovacuum": "off",
    "archive_mode": "off",
    "timezone": "UTC",
}


@contextmanager
def running(access: Access, folder: Path, *, tick: Tick) -> Iterator[tuple[Access, Server]]:
    """Run a scratch server for the length of a block, and leave nothing of it.

    Args:
        access: where the programs are.
        folder: below which its own folder is made.
        tick: called every second or so while it starts.

    Yields:
        How it is reached: as its superuser, by a socket that nobody else can reach.

    Raises:
        ConfigurationError: there is no place or no user for it.
        ServerRefused: it does not start.
    """
    clear(folder)
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
    user = _user()
    # A name that no backup's role has.
    superuser = home.name.replace("-", "_").lower()
    try:
        if user is not None:
            os.chown(home, user.pw_uid, user.pw_gid)
        _make(access, home, user, superuser)
        with _serving(access, home, user, tick):
            yield Access(superuser, bin_dir=access.bin_dir), Server(str(home), _PORT)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def clear(folder: Path) -> None:
    """Remove what a drill left that was killed; a server that still runs there is ended."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    for home in folder.glob(f"{_PREFIX}*"):
        try:
            pid = int((home / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
            if str(home).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, 3)  # an immediate end: nothing of it is kept
                _gone(pid)
        except (OSError, ValueError):
            pass  # it did not run
        shutil.rmtree(home, ignore_errors=True)


def _gone(pid: int) -> None:
    end = time.monotonic() + _END_WITHIN_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.1)


def _user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_USER)
    except KeyError as error:
        raise ConfigurationError(
            f"PostgreSQL does not run as root, and there is no user {_USER}",
            hint="Run the agent as a user of its own, as its unit does.",
        ) from error


def _make(access: Access, home: Path, user: pwd.struct_passwd | None, superuser: str) -> None:
    command = [
        access.program("initdb"),
        f"--pgdata={home / 'data'}",
        f"--username={superuser}",
        # Only who can reach the socket's folder can reach the server.
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]
    made = subprocess.run(
        command,
        env=_environ(),
        cwd=home,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
    )
    if made.returncode != 0:
        raise ServerRefused(
            f"a scratch server can't be made in {home}: {made.stderr.strip()[-400:]}",
            hint="Look whether the disk is full; backup.scratch_dir names another folder.",
        )


@contextmanager
def _serving(
    access: Access, home: Path, user: pwd.struct_passwd | None, tick: Tick
) -> Iterator[None]:
    settings = {**_SETTINGS, "unix_socket_directories": str(home), "port": str(_PORT)}
    command = [access.program("postgres"), "-D", str(home / "data")]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with (home / "log").open("wb") as words:
        process = subprocess.Popen(
            command,
            env=_environ(),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
        )
    try:
        _ready(access, home, process, tick)
        yield
    finally:
        process.send_signal(3)  # SIGQUIT: an immediate end
        try:
            process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(access: Access, home: Path, process: subprocess.Popen[bytes], tick: Tick) -> None:
    end = time.monotonic() + _START_WITHIN_S
    question = [access.program("pg_isready"), "-q", "-h", str(home), "-p", str(_PORT)]
    while subprocess.run(question, env=_environ(), timeout=30).returncode != 0:
        if process.poll() is not None or time.monotonic() > end:
            said = (home / "log").read_text(errors="replace").strip()
            raise ServerRefused(f"the scratch server does not start: {said[-400:]}")
        tick()
        time.sleep(0.1)


def _environ() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
