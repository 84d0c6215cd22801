"""A real PostgreSQL of a test's own, with something in it, reached as the agent would."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.backup import scratch
from agents.backup.access import Access, Server
from agents.backup.psql import Session
from flowrex.errors import FlowrexError
from tests.cluster import eventually

SCHEMA = (
    "CREATE ROLE flowrex_owner NOLOGIN",
    "CREATE ROLE flowrex_app NOLOGIN",
    "CREATE DATABASE flowrex OWNER flowrex_owner TEMPLATE template0",
    "REVOKE ALL ON DATABASE flowrex FROM PUBLIC",
    "GRANT CONNECT ON DATABASE flowrex TO flowrex_app",
)
TABLES = (
    "SET ROLE flowrex_owner",
    "CREATE SCHEMA migrations",
    "CREATE TABLE migrations.alembic_version (version_num text)",
    "INSERT INTO migrations.alembic_version VALUES ('0007')",
    "CREATE TABLE orders (id bigserial PRIMARY KEY, note text NOT NULL, at timestamptz)",
    "GRANT SELECT, INSERT ON orders TO flowrex_app",
)


@dataclass(frozen=True)
class Postgres:
    """A running server.

    Attributes:
        access: as its superuser.
        server: where.
        folder: what it keeps.
    """

    access: Access
    server: Server
    folder: Path

    def session(self, database: str = "flowrex") -> Session:
        return Session(self.access, self.server, database, tick=lambda: None)

    def ask(self, *statements: str, database: str = "flowrex") -> list[list[str]]:
        """Run statements in one session and return the last one's rows."""
        rows: list[list[str]] = []
        with self.session(database) as session:
            for statement in statements:
                rows = session.ask(statement)
        return rows

    def value(self, statement: str, database: str = "flowrex") -> str:
        return self.ask(statement, database=database)[0][0]

    def fill(self, rows: int, *, width: int = 100) -> None:
        """Put rows into `orders` that do not compress to nothing."""
        self.ask(
            "INSERT INTO orders (note, at) SELECT left(repeat(md5(random()::text), "
            f"{width // 32 + 1}), {width}), now() FROM generate_series(1, {rows})"
        )

    def restart(self) -> None:
        """Stop it as an administrator would, and start it again with what it was started with."""
        home = Path(self.server.host)
        pid, owner = self._pid(), home.stat()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        os.kill(pid, signal.SIGINT)
        lock = home / "data" / "postmaster.pid"
        eventually(lambda: not lock.exists(), what="the end of PostgreSQL")
        with (home / "log").open("ab") as log:
            subprocess.Popen(
                command, cwd=home, user=owner.st_uid, group=owner.st_gid, stdout=log, stderr=log
            )
        eventually(self._answers, what="PostgreSQL's return")

    def end(self) -> None:
        """End it at once, whoever started it."""
        os.kill(self._pid(), signal.SIGQUIT)

    def _pid(self) -> int:
        lock = Path(self.server.host) / "data" / "postmaster.pid"
        return int(lock.read_text().split("\n", 1)[0])

    def _answers(self) -> bool:
        try:
            return self.value("SELECT 1", database="postgres") == "1"
        except FlowrexError:
            return False


@contextmanager
def running() -> Iterator[Postgres]:
    """Run a server with the platform's roles, a database `flowrex` and a table `orders`."""
    with tempfile.TemporaryDirectory(prefix="flowrex-pg-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with scratch.running(Access("nobody"), folder, tick=lambda: None) as (access, server):
            found = Postgres(access, server, folder)
            found.ask(*SCHEMA, database="postgres")
            found.ask(*TABLES)
            try:
                yield found
            finally:
                found.end()
