"""Write the kill switch by check-and-set: up at once, down only from what was seen."""

from __future__ import annotations

from dataclasses import dataclass

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.emergency import Emergency, Level, parse
from flowrex.errors import HardStop, ServerRefused, StalePlan

_TRIES = 20


@dataclass(frozen=True)
class Standing:
    """The switch as it stands in Consul.

    Attributes:
        emergency: what it says.
        index: the key's modify index, for check-and-set; 0 where there is no key.
    """

    emergency: Emergency
    index: int


def read(consul: ConsulClient) -> Standing:
    """Return how the switch stands."""
    entry = consul.kv_get(keys.EMERGENCY)
    return Standing(parse(entry.value if entry else None), entry.modify_index if entry else 0)


def raise_to(consul: ConsulClient, wanted: Emergency) -> tuple[Standing, Standing]:
    """Switch on, or to a higher level; what others write in between is never lowered.

    Args:
        consul: where the switch is.
        wanted: level, reason, person and time.

    Returns:
        How it stood before, and how it stands now.

    Raises:
        HardStop: it stands at a higher level, which `off` alone ends.
        ServerUnreachable: it could not be written.
    """
    for _ in range(_TRIES):
        before = read(consul)
        current = before.emergency
        if current.level > wanted.level:
            raise HardStop(
                f"the emergency is at level {current.level.word} already{_by(current)}, and "
                f"{wanted.level.word} would lower it",
                hint="It goes down by `flowrexctl emergency off` only, all the way.",
            )
        if _written(consul, wanted, before.index):
            return before, read(consul)
    raise ServerRefused(
        f"{keys.EMERGENCY} is changed by somebody all the time",
        hint=f"Write it without check-and-set: consul kv put {keys.EMERGENCY} on",
    )


def put_off(consul: ConsulClient, seen: Standing, wanted: Emergency) -> Standing:
    """Switch off what was seen, and nothing else.

    The key is written and not deleted: a process that remembers the emergency believes only an
    explicit end, whose time it can compare.

    Args:
        consul: where the switch is.
        seen: how it stood when the person decided.
        wanted: level normal, with reason, person and time.

    Returns:
        How it stands now.

    Raises:
        StalePlan: it has been changed since it was seen.
    """
    assert wanted.level is Level.NORMAL
    if not _written(consul, wanted, seen.index):
        now = read(consul).emergency
        raise StalePlan(
            f"the emergency was changed in the meantime: it is at level {now.level.word}{_by(now)}",
            hint="Look again: flowrexctl emergency status ENV",
        )
    return read(consul)


def _written(consul: ConsulClient, wanted: Emergency, index: int) -> bool:
    return consul.kv_put(keys.EMERGENCY, wanted.encode(), cas=index)


def _by(emergency: Emergency) -> str:
    return f", by {emergency.by}" if emergency.by else ""
