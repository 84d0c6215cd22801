"""Telling how far an installation is."""

from __future__ import annotations

import sys
from shutil import get_terminal_size
from typing import Protocol, TextIO


class Progress(Protocol):
    """What an installation reports to; each text is for a person."""

    def start(self, text: str) -> None:
        """Say what begins, for example `consul 1.19.2`."""

    def step(self, text: str) -> None:
        """Say how far it is; called about once a second, worth a changing line only."""

    def done(self, text: str) -> None:
        """Say how what was started last has ended."""

    def note(self, text: str) -> None:
        """Say something beside it."""

    def stopped(self) -> None:
        """Close what was started last: it failed, and the error is told elsewhere."""


class Silent:
    """Report to nobody."""

    def start(self, text: str) -> None:
        """Say nothing."""

    step = done = note = start

    def stopped(self) -> None:
        """Say nothing."""


class Lines:
    """One line for each thing that was started; on a terminal the line changes as it goes on."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to `stream`, standard error unless given."""
        self._stream = sys.stderr if stream is None else stream
        self._changing = self._stream.isatty()
        self._open = ""

    def start(self, text: str) -> None:
        """Begin a line."""
        self.stopped()
        self._open = text
        self._write(f"{text} … ")

    def step(self, text: str) -> None:
        """Change the line, on a terminal."""
        if self._changing and self._open:
            width = get_terminal_size().columns - 1
            self._write("\r\x1b[K" + f"{self._open} … {text}"[:width])

    def done(self, text: str) -> None:
        """End the line."""
        erase = f"\r\x1b[K{self._open} … " if self._changing else ""
        self._write(f"{erase}{text}\n")
        self._open = ""

    def note(self, text: str) -> None:
        """Write a line of its own, above the changing one."""
        if not self._open:
            self._write(f"{text}\n")
        elif self._changing:
            self._write(f"\r\x1b[K{text}\n{self._open} … ")
        else:
            self._write(f"\n{text}\n{self._open} … ")

    def stopped(self) -> None:
        """End an unfinished line, so that what follows begins on its own."""
        if self._open:
            self._write("\n")
        self._open = ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def duration(seconds: float) -> str:
    """Return a time as people write it: `42 s`, `3 min 05 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"


def estimate(seconds: float) -> str:
    """Return an expected time, rounded so that nobody takes it for exact: `about 4 min`."""
    if seconds < 45:
        return "under a minute"
    return f"about {max(1, round(seconds / 60))} min"
