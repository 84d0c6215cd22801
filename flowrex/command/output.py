"""Printing: results on stdout, what people are told on stderr, progress only to a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import click

from flowrex.errors import ConfigurationError


def colour() -> bool | None:
    """Return what printing does with colours: None shows them on a terminal, False never.

    NO_COLOR (https://no-color.org) takes them away, set to anything but nothing.
    """
    return False if os.environ.get("NO_COLOR") else None


def say(text: str = "") -> None:
    """Tell a person something that is not the verb's result.

    What can't be told, because the disk is full that standard error goes to, must stop no change.
    """
    _tell(text)


def emit(document: Mapping[str, Any], exit_status: int) -> None:
    """Print the verb's one JSON document, which tells how the process ends.

    Args:
        document: what came of the verb.
        exit_status: with what the process leaves after it.

    Raises:
        ConfigurationError: standard output takes nothing.
    """
    _print(json.dumps({**document, "exit_status": exit_status}, indent=2, default=str))


def emit_line(document: Mapping[str, Any]) -> None:
    """Print one line of a stream of JSON documents; raises as `emit`."""
    _print(json.dumps(document, default=str))


def show(text: str) -> None:
    """Print the verb's result for a person; raises as `emit`."""
    _print(text)


def _print(text: str) -> None:
    if sys.stdout is None:  # it was closed before this began, and click would say nothing
        raise _unwritable("it is closed")
    try:
        click.echo(text, color=colour())
    except BrokenPipeError:
        raise  # the reader has what it wants
    except OSError as error:
        raise _unwritable(error.strerror) from error


def _unwritable(why: str | None) -> ConfigurationError:
    return ConfigurationError(
        f"the result can't be written to standard output: {why}",
        hint="Give it a place to write to. What the verb has done besides is done.",
    )


def _tell(text: str, *, newline: bool = True) -> None:
    try:
        click.echo(text, err=True, color=colour(), nl=newline)
    except BrokenPipeError:
        raise
    except OSError:
        return  # nobody is left to tell


def interactive() -> bool:
    """Tell whether a person can be asked: both ends are a terminal."""
    return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> str:
    """Lay rows out in columns as wide as their widest cell.

    Args:
        rows: the cells; styled text counts without its colour codes.
        headers: the columns' names.

    Returns:
        The lines, without a trailing newline.
    """
    cells = [[str(cell) for cell in row] for row in [list(headers), *rows]]
    widths = [max(len(click.unstyle(row[i])) for row in cells) for i in range(len(headers))]
    lines = [
        "  ".join(
            cell + " " * (width - len(click.unstyle(cell)))
            for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]
    lines[0] = click.style(lines[0], bold=True)
    return "\n".join(lines)


class Progress:
    """One line that is rewritten on a terminal; nothing at all in a pipe."""

    def __init__(self) -> None:
        self._shown = _is_terminal(sys.stderr)

    def __call__(self, text: str) -> None:
        """Replace the line's text."""
        if self._shown:
            width = max(20, _terminal_width() - 1)
            _tell(f"\r\x1b[K{text[:width]}", newline=False)

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            _tell("\r\x1b[K", newline=False)


def _terminal_width() -> int:
    from shutil import get_terminal_size

    return get_terminal_size().columns
