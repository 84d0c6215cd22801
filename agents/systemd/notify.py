"""systemd's notification protocol (sd_notify): datagrams to the socket that it names."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Tells systemd what this process does; tells nobody where no systemd asked to be told."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        """Read what systemd left in the environment.

        Args:
            environ: the process's environment, with NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
            pid: this process, since the watchdog may be another's.
        """
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        meant = environ.get("WATCHDOG_PID", "")
        microseconds = environ.get("WATCHDOG_USEC", "")
        ours = not meant or meant == str(pid)
        self.watchdog_s: float | None = None
        if self._address and ours and microseconds.isdigit() and int(microseconds) > 0:
            self.watchdog_s = int(microseconds) / 1e6

    def ready(self, status: str) -> None:
        """Tell that the process serves."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Tell that a reload begins; `ready` tells that it is done."""
        # The time lets systemd tell this reload's READY from an earlier one.
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=reloading")

    def stopping(self, status: str) -> None:
        """Tell that the process ends by itself or was asked to."""
        self._send("STOPPING=1", f"STATUS={status}")

    def status(self, text: str) -> None:
        """Tell in a sentence what the process does."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, *assignments: str) -> None:
        if self._address is None:
            return
        message = "\n".join(" ".join(one.splitlines()) for one in assignments)
        # systemd may be restarting; it asks again by its watchdog, never by an error of ours.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.settimeout(1.0)
            sender.connect(self._address)
            sender.sendall(message.encode())


def _address(named: str) -> str | None:
    """Return the socket's address; an abstract one is written with an @ and begins with a NUL."""
    if named.startswith("@"):
        return "\0" + named[1:]
    return named if named.startswith("/") else None
