"""From what somebody types to the release that they mean."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from flowrex.errors import UsageError
from generator.release import Release

_SHOWN = 5


def find(records: Sequence[Release], name: str, environment: str) -> Release:
    """Return the release that is meant by an id, by the beginning of one, or by a version.

    A version means the newest record of it that is done; where none is, the newest of all.

    Args:
        records: of an environment, the newest first.
        name: what was typed.
        environment: whose, for the command that lists them.

    Raises:
        UsageError: there is no such release, or there are several.
    """
    of_version = [one for one in records if one.version == name]
    if of_version:
        return next((one for one in of_version if one.outcome == "done"), of_version[0])
    begun = [one for one in records if one.id.startswith(name)] if name else []
    if len(begun) == 1 or (begun and begun[0].id == name):
        return begun[0]
    hint = f"See them all: flowrexctl releases {environment}"
    if begun:
        ids = ", ".join(one.id for one in begun[:_SHOWN])
        more = f" and {len(begun) - _SHOWN} more" if len(begun) > _SHOWN else ""
        raise UsageError(f"{name!r} may be any of the releases {ids}{more}", hint=hint)
    known = [*dict.fromkeys(one.version for one in records if one.version)]
    near = get_close_matches(name, [*known, *(one.id for one in records)], n=1, cutoff=0.5)
    if near:
        hint = f"Did you mean {near[0]}? {hint}"
    raise UsageError(f"{environment} has no release {name!r}", hint=hint)
