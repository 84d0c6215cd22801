"""This machine's own addresses, which no proxy can reach."""

from __future__ import annotations


def is_loopback(host: str) -> bool:
    """Tell whether `host` is this machine's loopback."""
    return host in {"localhost", "::1"} or host.startswith("127.")
