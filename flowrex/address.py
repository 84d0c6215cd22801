"""Addresses of servers: what is one, and what is none."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split(address: str) -> SplitResult | None:
    """Return the parts of a server's address; None where no server can have it.

    Args:
        address: what was written; `http://HOST`, with a port or without, or the same with `https`.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:  # half an IPv6 address, or a port that there is not
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return None
    return None if any(sign.isspace() for sign in address) else parts


def check(text: str) -> None:
    """Insist on the address of a server, as a setting's check.

    Args:
        text: what was written.

    Raises:
        ValueError: no server can have it.
    """
    if split(text) is None:
        raise ValueError("no address of a server; expected http://HOST:PORT or https://HOST:PORT")
