"""Environment variables, read with every mistake told at once."""

from __future__ import annotations

from collections.abc import Mapping

from flowrex.errors import ConfigurationError

_HINT = "docs/reference/app-settings.md lists every variable; the jobs set them."


class Reader:
    """Reads variables and gathers what is wrong, so that one start reports all of it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def refuse(self) -> None:
        """Raise where anything was wrong.

        Raises:
            ConfigurationError: every problem is named.
        """
        if self.problems:
            raise ConfigurationError("\n".join(self.problems), hint=_HINT)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a default it is required."""
        value = self._environ.get(name, "").strip()
        if value:
            return value
        if default is None:
            self.problems.append(f"{name} is not set")
            return ""
        return default

    def whole(self, name: str, default: int | None, low: int, high: int) -> int:
        """Return a whole number within bounds."""
        text = self.text(name, None if default is None else str(default))
        if text.isascii() and text.isdecimal() and low <= int(text) <= high:
            return int(text)
        if text:
            self.problems.append(
                f"{name} is {text!r}; expected a whole number from {low} to {high}"
            )
        return low

    def seconds(self, name: str, default: float, high: float) -> float:
        """Return seconds from 0 to `high`."""
        text = self.text(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if 0 <= value <= high:
            return value
        self.problems.append(f"{name} is {text!r}; expected seconds from 0 to {high:g}")
        return 0.0

    def choice(self, name: str, default: str, known: tuple[str, ...]) -> str:
        """Return one of the known words, in lower case."""
        text = self.text(name, default).lower()
        if text not in known:
            self.problems.append(f"{name} is {text!r}; expected one of {', '.join(known)}")
        return text

    def address(self, name: str, default: str) -> tuple[str, int]:
        """Return a host and a port."""
        text = self.text(name, default)
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if host and port.isascii() and port.isdecimal() and int(port) <= 65535:
            return host, int(port)
        self.problems.append(f"{name} is {text!r}; expected HOST:PORT, for example 127.0.0.1:8000")
        return "", 0
