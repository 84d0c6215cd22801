"""A program whose output is a backup, read as it comes and judged when it ends."""

from __future__ import annotations

import fcntl
import logging
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType

from agents.backup.psql import Tick, end, failure, read, words

log = logging.getLogger(__name__)

_PIPE = 1 << 20
_F_SETPIPE_SZ = 1031


class Output:
    """A running program's output. Use it in a `with` block, whose end is the program's too."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], where: str, *, tick: Tick
    ) -> None:
        """Start the program.

        Args:
            command: program and arguments; nothing secret.
            environ: its whole environment.
            where: what it works on, for messages.
            tick: called every second; what it raises ends the program.
        """
        self._name = command[0].rsplit("/", 1)[-1]
        self._where, self._tick = where, tick
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the program
        self._process = subprocess.Popen(
            list(command),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._words,
            cwd="/",
        )
        assert self._process.stdout is not None
        self._descriptor = self._process.stdout.fileno()
        try:
            # A longer pipe: fewer turns between the two.
            fcntl.fcntl(self._descriptor, _F_SETPIPE_SZ, _PIPE)
        except OSError:
            log.debug("the pipe keeps its usual length")

    def pieces(self) -> Iterator[bytes]:
        """Yield the output as it comes. It counts only once `judge` was content."""
        return read(self._descriptor, self._tick, _PIPE)

    def judge(self) -> None:
        """Insist that the program ended well, and did all that it was to do.

        Raises:
            ServerUnreachable: it did not.
        """
        status = self._process.wait()
        said = words(self._words)
        if status != 0:
            raise failure(self._name, status, said, self._where)
        if said:
            log.warning("%s said something", self._name, extra={"said": said[-1000:]})

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        end(self._process)
        self._words.close()
