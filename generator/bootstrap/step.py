"""The one decision that every step takes: leave, report, create or update."""

from __future__ import annotations

from collections.abc import Callable

from generator.bootstrap.report import State, Step


def ensure(
    name: str,
    apply: Callable[[], object],
    *,
    present: bool,
    same: bool = True,
    check_only: bool,
    detail: str = "",
) -> Step:
    """Make one thing be as it should, or report that it is not.

    Args:
        name: the step's name.
        apply: creates or updates the thing; called at most once, never where `check_only`.
        present: whether the thing is there.
        same: whether it is as it should be, where it is there.
        check_only: change nothing.
        detail: what to tell where it is there and differs.
    """
    if present and same:
        return Step(name, State.PRESENT)
    if check_only:
        return Step(name, State.DIFFERS, detail) if present else Step(name, State.MISSING)
    apply()
    return Step(name, State.UPDATED if present else State.CREATED)
