"""A program that is fed a backup as it is read: pg_restore, psql."""

from __future__ import annotations

import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import IO

from agents.backup.psql import Tick, end, failure, words


class Fed:
    """A running program that reads its standard input. Use it in a `with` block."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        where: str,
        *,
        tick: Tick,
        output: IO[bytes] | None = None,
    ) -> None:
        """Start the program.

        Args:
            command: program and arguments; nothing secret.
            environ: its whole environment.
            where: what it works on, for messages.
            tick: called every second; what it raises ends the program.
            output: a file that takes what it writes; nowhere where None.
        """
        self._name = command[0].rsplit("/", 1)[-1]
        self._where, self._tick = where, tick
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the program
        self._process = subprocess.Popen(
            list(command),
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=output or subprocess.DEVNULL,
            stderr=self._words,
            cwd="/",
            bufsize=0,
        )
        assert self._process.stdin is not None
        # A write takes what fits and never waits where nothing ticks.
        os.set_blocking(self._process.stdin.fileno(), False)

    def feed(self, pieces: Iterable[bytes], *, to_the_end: bool = True) -> None:
        """Give it everything; a program that has heard enough is no error.

        Args:
            pieces: what it reads.
            to_the_end: take them all in any case, since their checksums are judged at the end.
        """
        listening = True
        for piece in pieces:
            listening = listening and self._write(piece)
            if not listening and not to_the_end:
                break
        assert self._process.stdin is not None
        self._process.stdin.close()

    def judge(self) -> str:
        """Insist that it ended well, and return what it said.

        Raises:
            ServerUnreachable: it did not.
        """
        ticked = time.monotonic()
        while True:
            try:
                status = self._process.wait(1.0)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() - ticked >= 1.0:
                    self._tick()
                    ticked = time.monotonic()
        said = words(self._words)
        if status != 0:
            raise failure(self._name, status, said, self._where)
        return said

    def __enter__(self) -> Fed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is not None:
            self._process.kill()
        end(self._process)
        self._words.close()

    def _write(self, piece: bytes) -> bool:
        assert self._process.stdin is not None
        with memoryview(piece) as view, selectors.DefaultSelector() as selector:
            selector.register(self._process.stdin, selectors.EVENT_WRITE)
            at = 0
            while at < len(view):
                if not selector.select(1.0):
                    self._tick()
                    continue
                try:
                    at += self._process.stdin.write(view[at:]) or 0
                except BrokenPipeError:
                    return False
        return True
