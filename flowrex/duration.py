"""Lengths of time as people and Nomad write them."""

from __future__ import annotations

import re

from flowrex.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def seconds(text: str) -> float:
    """Return the seconds in a length of time.

    Args:
        text: for example `90s`, `1m30s` or `500ms`; a bare `0` is allowed.

    Raises:
        UsageError: it is no length of time.
    """
    parts = _PART.findall(text)
    if text == "0":
        return 0.0
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{text!r} is no length of time", hint="Write it like 30s, 5m or 1m30s.")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def ago(elapsed_s: float) -> str:
    """Return an age in its largest sensible unit, `3m` or `2h`."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if elapsed_s >= length:
            return f"{int(elapsed_s // length)}{unit}"
    return f"{max(0, int(elapsed_s))}s"
