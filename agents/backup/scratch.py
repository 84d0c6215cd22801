"""A PostgreSQL of its own for a while: another data folder, a socket and no port."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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
_SHOWN = 1000
# It is thrown away: what it costs to survive a crash is saved.
SETTINGS = {
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
    # Compiled queries need memory that is written and executed, which the agent's unit forbids.
    "jit": "off",
    "archive_mode": "off",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Home:
    """A folder for one scratch server, which goes with it.

    Attributes:
        path: the folder; the server's data is in `data` below it.
        user: who the server runs as; None: who runs this.
    """

    path: Path
    user: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        """Where its data is."""
        return self.path / "data"

    @property
    def server(self) -> Server:
        """Where the server is reached: by a socket that nobody else can reach."""
        return Server(str(self.path), _PORT)


@contextmanager
def home(folder: Path) -> Iterator[Home]:
    """Give a folder for a scratch server, for the length of a block, and leave nothing of it.

    Args:
        folder: below which it is made; what an earlier one left there is removed.

    Raises:
        ConfigurationError: there is no user for it.
    """
    clear(folder)
    user = _user()
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
    try:
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid)
        yield Home(path, user)
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def running(access: Access, folder: Path, *, tick: Tick) -> Iterator[tuple[Access, Server]]:
    """Run an empty scratch server for the length of a block, and leave nothing of it.

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
    with home(folder) as at:
        # A name that no backup's role has.
        superuser = at.path.name.replace("-", "_").lower()
        _make(access, at, superuser)
        with serving(access, at, SETTINGS, within_s=_START_WITHIN_S, tick=tick):
            yield Access(superuser, bin_dir=access.bin_dir), at.server


def clear(folder: Path) -> None:
    """Remove what a drill left that was killed; a server that still runs there is ended."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    for left in folder.glob(f"{_PREFIX}*"):
        try:
            pid = int((left / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
            if str(left).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGQUIT)  # an immediate end: nothing of it is kept
                _gone(pid)
        except (OSError, ValueError):
            pass  # it did not run
        shutil.rmtree(left, ignore_errors=True)


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


def _make(access: Access, at: Home, superuser: str) -> None:
    command = [
        access.program("initdb"),
        f"--pgdata={at.data}",
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
        cwd=at.path,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        user=at.user.pw_uid if at.user else None,
        group=at.user.pw_gid if at.user else None,
    )
    if made.returncode != 0:
        raise ServerRefused(
            f"a scratch server can't be made in {at.path}: {made.stderr.strip()[-400:]}",
            hint="Look whether the disk is full; backup.scratch_dir names another folder.",
        )


@contextmanager
def serving(
    access: Access, at: Home, settings: Mapping[str, str], *, within_s: float, tick: Tick
) -> Iterator[None]:
    """Run a server on the data of a home, for the length of a block.

    Args:
        access: where the programs are.
        at: the home.
        settings: the server's, by name; how it is reached is added.
        within_s: seconds in which it must accept connections; a recovery may take hours.
        tick: called every second or so until it does.

    Raises:
        ServerRefused: it does not start.
    """
    chosen = {**settings, "unix_socket_directories": str(at.path), "port": str(_PORT)}
    command = [access.program("postgres"), "-D", str(at.data)]
    for name, value in chosen.items():
        command += ["-c", f"{name}={value}"]
    with (at.path / "log").open("wb") as words:
        process = subprocess.Popen(
            command,
            env=_environ(),
            cwd=at.path,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            user=at.user.pw_uid if at.user else None,
            group=at.user.pw_gid if at.user else None,
        )
    try:
        _ready(access, at, process, within_s, tick)
        yield
    finally:
        process.send_signal(signal.SIGQUIT)  # an immediate end
        try:
            process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(
    access: Access, at: Home, process: subprocess.Popen[bytes], within_s: float, tick: Tick
) -> None:
    end, pause_s = time.monotonic() + within_s, 0.1
    question = [access.program("pg_isready"), "-q", "-h", str(at.path), "-p", str(_PORT)]
    while subprocess.run(question, env=_environ(), timeout=30).returncode != 0:
        if process.poll() is not None or time.monotonic() > end:
            said = (at.path / "log").read_text(errors="replace").strip()
            raise ServerRefused(f"the scratch server does not start: {said[-_SHOWN:]}")
        tick()
        time.sleep(pause_s)
        pause_s = min(1.0, pause_s * 1.2)


def _environ() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
