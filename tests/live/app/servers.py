"""PostgreSQL and Redis from the system's packages, for the application's tests alone."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BINARIES = Path("/usr/lib/postgresql/15/bin")
ADMIN = "admin"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 15) -> None:
    """Return when `condition` holds; fail with `what` otherwise."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Postgres:
    """A PostgreSQL server of our own, with the roles that bootstrap makes."""

    folder: Path
    port: int
    _locker: subprocess.Popen[str] | None = None

    def run(self, sql: str, database: str = "flowrex") -> str:
        """Run SQL as the administrator; return what it prints."""
        return subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1",
             "-p", str(self.port), "-U", ADMIN, "-d", database, "-c", sql],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    def lease(self, name: str, password: str, role: str = "flowrex_app") -> None:
        """Make a login as Vault does."""
        self.run(f"CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE {role}")
        if role == "flowrex_owner":
            self.run(f"ALTER ROLE {name} SET role = '{role}'")

    def connections(self, name: str) -> int:
        """Count the connections of a login."""
        return int(self.run(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{name}'"))

    def waiting(self, name: str) -> int:
        """Count a login's queries that wait for a lock."""
        return int(self.run(
            "SELECT count(*) FROM pg_stat_activity "
            f"WHERE usename = '{name}' AND wait_event_type = 'Lock'"
        ))  # fmt: skip

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Let every query of a table wait, until `unlock` or the block's end."""
        self._locker = subprocess.Popen(
            ["psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", ADMIN, "flowrex"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        assert self._locker.stdin is not None
        assert self._locker.stdout is not None
        self._locker.stdin.write(f"BEGIN; LOCK TABLE {table};\n\\echo locked\n")
        self._locker.stdout.readline()
        try:
            yield
        finally:
            self.unlock()

    def unlock(self) -> None:
        """Let the queries go on."""
        if self._locker is not None:
            self._locker.communicate()
            self._locker = None

    def start(self) -> None:
        """Start the server and wait for it."""
        self._ctl("start", "-w", "-l", str(self.folder / "log"),
                  "-o", f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off "
                  f"-c unix_socket_directories='{self.folder}'")  # fmt: skip

    def stop(self) -> None:
        """Stop it at once, ending every connection."""
        self._ctl("stop", "-w", "-m", "immediate")

    def initialise(self) -> None:
        """Make its data folder."""
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        _as_postgres([str(_BINARIES / "initdb"), "-D", str(self.folder / "data"), "-U", ADMIN,
                      "--auth=trust", "--no-sync"])  # fmt: skip
        rules = "host all admin 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (self.folder / "data" / "pg_hba.conf").write_text(rules)

    def _ctl(self, action: str, *options: str) -> None:
        _as_postgres([str(_BINARIES / "pg_ctl"), "-D", str(self.folder / "data"), action, *options])


def _as_postgres(command: list[str]) -> None:
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **identity)


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """Run a PostgreSQL server in `folder` while the block lasts."""
    folder.mkdir(parents=True)
    server = Postgres(folder, free_port())
    server.initialise()
    server.start()
    try:
        server.run("CREATE DATABASE flowrex", database="postgres")
        for role in ("owner", "app", "worker", "retention"):
            server.run(f"CREATE ROLE flowrex_{role}")
        server.run("GRANT CREATE ON DATABASE flowrex TO flowrex_owner")
        yield server
    finally:
        server.stop()


@dataclass
class Redis:
    """A Redis server of our own that wants a password."""

    folder: Path
    port: int
    username: str = "backend"
    password: str = "redis-" + "p" * 12
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait for it."""
        (self.folder / "users.acl").write_text(
            f"user default off\nuser {self.username} on >{self.password} ~flowrex:* +@all\n"
        )
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--aclfile", str(self.folder / "users.acl"), "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(lambda: listens(self.port), "Redis listens")

    def stop(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def redis(folder: Path) -> Iterator[Redis]:
    """Run a Redis server in `folder` while the block lasts."""
    folder.mkdir(parents=True)
    server = Redis(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()
