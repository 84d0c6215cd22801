"""The hard stops, in their order, and what an environment makes of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from flowrex.errors import HardStop, UsageError
from flowrex.settings.schema import nearest
from generator.checks import backups, certificates, health, monitoring
from generator.checks.look import look_at
from generator.checks.model import Check, Ground, Looked
from generator.environment.preflight import Preflight
from generator.preflight import caps, exposed, limits, rehearsal, tested, vulnerabilities

STOPS = (
    Check("health", "what runs is healthy", health.look),
    Check("tests", "the tests of this commit passed", tested.look),
    Check("vulnerabilities", "none is known of the locked packages", vulnerabilities.look),
    Check("backups", "a fresh backup was verified, a restore was rehearsed", backups.look),
    Check("rollback", "the way back was rehearsed", rehearsal.look),
    Check("certificates", "certificates are valid", certificates.look),
    Check("secrets", "no secret is exposed", exposed.look),
    Check("monitoring", "monitoring sees everything", monitoring.look),
    Check("limits", "every task has limits", limits.look),
    Check("caps", "the hard caps hold", caps.look),
)
_NAMES = [stop.name for stop in STOPS]


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

    return look_at(
        STOPS,
        ground,
        off=[one for one in _NAMES if mode(ground.environment.preflight, one) == "off"],
        overridden=overrides,
        tell=tell,
    )


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
    lines = [f"{one.check.name}: {one.text}" for one in stopping]
    raise HardStop(
        f"{len(stopping)} of {len(looked)} hard stops hold: " + "; ".join(lines),
        hint=f"See what was looked at: flowrexctl preflight {environment}. Nothing was changed.",
    )
