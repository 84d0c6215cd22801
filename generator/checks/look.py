"""Looking at checks, several at a time. What can't be told is not passed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from flowrex.errors import FlowrexError
from generator.checks.model import Check, Ground, Looked, Verdict

_AT_ONCE = 5


def look_at(
    checks: Sequence[Check],
    ground: Ground,
    *,
    off: Collection[str] = (),
    overridden: Collection[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> list[Looked]:
    """Look at checks.

    Args:
        checks: which.
        ground: what is looked at.
        off: the names of those that this environment does not ask for.
        overridden: of those that are not to stop; they are looked at all the same.
        tell: called with the name of each that was looked at.

    Returns:
        What was found, in the order of the checks.
    """

    def one(check: Check) -> Looked:
        if check.name in off:
            looked = Looked(check, "off", "This environment does not ask for it")
        else:
            looked = _judged(check, ground, overridden=check.name in overridden)
        tell(check.name)
        return looked

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(one, checks))


def _judged(check: Check, ground: Ground, *, overridden: bool) -> Looked:
    try:
        found = check.look(ground)
    except FlowrexError as error:
        unknown: Verdict = "overridden" if overridden else "unknown"
        return Looked(check, unknown, f"It can't be told: {error.message}", (), error.hint)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # Somebody's answer is not built as it should be: not all of it is read by a schema.
        text = f"It can't be told: what was answered is odd ({type(error).__name__}: {error})"
        return Looked(check, "overridden" if overridden else "unknown", text)
    if found.passed:
        return Looked(check, "passed", found.text, found.evidence)
    verdict: Verdict = "overridden" if overridden else "failed"
    return Looked(check, verdict, found.text, found.evidence, found.hint)
