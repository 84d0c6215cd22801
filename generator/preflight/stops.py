"""The hard stops, in the order in which they are looked at, and the verdict on each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from flowrex.errors import FlowrexError, HardStop, UsageError
from flowrex.settings.schema import nearest
from generator.environment.preflight import Preflight
from generator.preflight import (
    backups,
    caps,
    certificates,
    exposed,
    health,
    limits,
    monitoring,
    rehearsal,
    tested,
    vulnerabilities,
)
from generator.preflight.model import Ground, Looked, Stop, Verdict

STOPS = (
    Stop("health", "what runs is healthy", health.look),
    Stop("tests", "the tests of this commit passed", tested.look),
    Stop("vulnerabilities", "none is known of the artifact's packages", vulnerabilities.look),
    Stop("backups", "a fresh backup was verified, a restore was rehearsed", backups.look),
    Stop("rollback", "the way back was rehearsed", rehearsal.look),
    Stop("certificates", "certificates are valid", certificates.look),
    Stop("secrets", "no secret is exposed", exposed.look),
    Stop("monitoring", "monitoring sees everything", monitoring.look),
    Stop("limits", "every task has limits", limits.look),
    Stop("caps", "the hard caps hold", caps.look),
)
_NAMES = [stop.name for stop in STOPS]
_AT_ONCE = 5


def mode(preflight: Preflight, name: str) -> str:
    """Return what an environment makes of a stop: `enforced`, `overridable` or `off`."""
    return str(getattr(preflight.stops, name))


def check_overrides(preflight: Preflight, overrides: Collection[str], reason: str | None) -> None:
    """Refuse an override of what there is not, of what may not be, and without a reason.

    Args:
        preflight: the environment's settings.
        overrides: the stops that are not to stop.
        reason: why.

    Raises:
        UsageError: there is no such stop, or no reason.
        HardStop: this environment does not let it be overridden.
    """
    for name in overrides:
        if name not in _NAMES:
            raise UsageError(f"there is no hard stop {name!r}", hint=nearest("", name, _NAMES))
        if mode(preflight, name) == "enforced":
            raise HardStop(
                f"the hard stop {name} can't be overridden here",
                hint=f"preflight.stops.{name} is `enforced`"
                + ("." if name in {"caps", "secrets"} else "; `overridable` would let it be."),
            )
    if overrides and not reason:
        raise UsageError(
            "an override needs a reason, which is kept in the release's record",
            hint="--reason 'why'",
        )


def look(
    ground: Ground, overrides: Collection[str] = (), *, tell: Callable[[str], None] = lambda _: None
) -> list[Looked]:
    """Look at every stop, several at a time.

    Args:
        ground: what is looked at.
        overrides: the stops that are not to stop; they are looked at all the same.
        tell: called with the name of each stop that was looked at.

    Returns:
        What was found, in the order of `STOPS`.
    """

    def one(stop: Stop) -> Looked:
        looked = _judged(stop, ground, overridden=stop.name in overrides)
        tell(stop.name)
        return looked

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(one, STOPS))


def _judged(stop: Stop, ground: Ground, *, overridden: bool) -> Looked:
    if mode(ground.environment.preflight, stop.name) == "off":
        return Looked(stop, "off", "This environment does not ask for it")
    try:
        found = stop.look(ground)
    except FlowrexError as error:
        unknown: Verdict = "overridden" if overridden else "unknown"
        return Looked(stop, unknown, f"It can't be told: {error.message}", (), error.hint)
    if found.passed:
        return Looked(stop, "passed", found.text, found.evidence)
    verdict: Verdict = "overridden" if overridden else "failed"
    return Looked(stop, verdict, found.text, found.evidence, found.hint)


def refuse(environment: str, looked: Sequence[Looked]) -> None:
    """Raise where a stop stops.

    Args:
        environment: its name.
        looked: what was found.

    Raises:
        HardStop: at least one stop is not passed.
    """
    stopping = [one for one in looked if one.stops]
    if not stopping:
        return
    lines = [f"{one.stop.name}: {one.text}" for one in stopping]
    raise HardStop(
        f"{len(stopping)} of {len(looked)} hard stops hold: " + "; ".join(lines),
        hint=f"See what was looked at: flowrexctl preflight {environment}. Nothing was changed.",
    )
