"""A session of psql that is asked, and what the ends of PostgreSQL's programs mean."""

from __future__ import annotations

import csv
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType

from agents.backup.access import Access, Server
from flowrex.errors import FlowrexError, ServerRefused, ServerUnreachable

_MARK = "--flowrex-answered--"
# A server that is gone without a word is noticed after about a minute and a half.
_ALIVE = "keepalives_idle=30 keepalives_interval=10 keepalives_count=6"
_END_WITHIN_S = 5.0
_MOST_WORDS = 4000

Tick = Callable[[], None]


class ProgramFailed(ServerRefused):
    """One of PostgreSQL's programs, or the server through it, refuses what it was given."""


class NoSpace(ServerRefused):
    """A disk is full."""


class ConflictWithRecovery(ServerRefused):
    """A replica cancelled what it was asked, since it had to go on with its primary."""


class Session:
    """One session of psql, asked one statement at a time."""

    def __init__(self, access: Access, server: Server, database: str, *, tick: Tick) -> None:
        """Start psql; it connects with the first statement.

        Args:
            access: as whom.
            server: where.
            database: which database.
            tick: called every second while an answer is waited for; what it raises ends the wait.
        """
        self._where = f"{database} at {server}"
        self._tick = tick
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the session
        self._process = subprocess.Popen(
            [access.program("psql"), "-X", "-q", "-t", "--csv", "-v", "ON_ERROR_STOP=1", _ALIVE],
            env=access.environ(server, database),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            cwd="/",
        )

    def ask(self, statement: str) -> list[list[str]]:
        """Return a statement's rows as texts.

        Args:
            statement: without its semicolon.

        Raises:
            ServerUnreachable: the server can't be reached, or is gone.
            ServerRefused: it refuses.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{statement};\n\\echo {_MARK}\n".encode())
            self._process.stdin.flush()
        except OSError as error:
            raise self._error() from error
        return list(csv.reader(self._lines()))

    def value(self, statement: str) -> str:
        """Return the first value of a statement's first row, "" where there is none."""
        rows = self.ask(statement)
        return rows[0][0] if rows and rows[0] else ""

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        end(self._process)
        self._words.close()

    def _lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        held = b""
        for piece in read(self._process.stdout.fileno(), self._tick, 1 << 16):
            held += piece
            *lines, held = held.split(b"\n")
            for line in lines:
                if line == _MARK.encode():
                    return
                yield line.decode(errors="replace") + "\n"
        raise self._error()

    def _error(self) -> FlowrexError:
        end(self._process)
        return failure("psql", self._process.returncode, words(self._words), self._where)


def read(descriptor: int, tick: Tick, most: int) -> Iterator[bytes]:
    """Yield what comes out of a pipe, and call `tick` once a second while nothing does."""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        ticked = time.monotonic()
        while True:
            ready = selector.select(1.0)
            if not ready or time.monotonic() - ticked >= 1.0:
                tick()
                ticked = time.monotonic()
            if ready:
                piece = os.read(descriptor, most)
                if not piece:
                    return
                yield piece


def end(process: subprocess.Popen[bytes]) -> None:
    """Make an end of a program, in order first."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was left in it had nowhere to go
                pipe.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def words(file: object) -> str:
    """Return what a program said, its end where it was much."""
    handle: int = file.fileno()  # type: ignore[attr-defined]
    size = os.fstat(handle).st_size
    return (
        os.pread(handle, _MOST_WORDS, max(0, size - _MOST_WORDS)).decode(errors="replace").strip()
    )


def failure(program: str, status: int | None, said: str, where: str) -> FlowrexError:
    """Return the error that a program's end means.

    Args:
        program: its name.
        status: its exit status, negative for a signal.
        said: what it wrote on standard error.
        where: the database, for the message.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    how = f"was ended by signal {-status}" if status and status < 0 else f"ended with {status}"
    text = f"{program} {how} for {where}: {'; '.join(lines[-3:]) or 'it said nothing'}"
    if "conflict with recovery" in said:
        return ConflictWithRecovery(text)
    if _gone(said):
        return ServerUnreachable(text, hint="Look whether PostgreSQL runs there.")
    if "No space left on device" in said:
        return NoSpace(text, hint="Make room there, and try again.")
    return ProgramFailed(text)


def _gone(said: str) -> bool:
    return any(
        one in said
        for one in (
            "could not connect",
            "connection to server",
            "server closed the connection",
            "terminating connection",
            "the database system is",
            "could not translate host name",
        )
    )
