"""Wait until everybody has acknowledged, or the deadline is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import ServerUnreachable
from generator.emergency.members import Expected, Member, lacking, members
from generator.emergency.switch import Standing
from generator.watch import Clock

_STEP_S = 1.0
_SHORTEST_S = 0.05
_PAUSE_S = 0.2


@dataclass(frozen=True)
class Response:
    """Who has acknowledged and who has not.

    Attributes:
        standing: the switch that was to be taken up.
        members: everybody who must.
        after_s: for each of them that was seen to acknowledge, by kind and name, the seconds since
            the switch was written, by this machine's clock.
    """

    standing: Standing
    members: tuple[Member, ...]
    after_s: dict[tuple[str, str], float]

    @property
    def lacking(self) -> list[Member]:
        """Those that have not acknowledged."""
        return lacking(self.members, self.standing)

    @property
    def remembering(self) -> list[Member]:
        """Those in which an emergency holds of which the switch says nothing (any more)."""
        return [one for one in self.members if one.remembers(self.standing)]


def wait(
    consul: ConsulClient,
    standing: Standing,
    who: Callable[[], Expected],
    *,
    deadline_s: float,
    clock: Clock,
    tell: Callable[[Member, float], None] = lambda member, seconds: None,
) -> Response:
    """Follow the acknowledgements.

    Args:
        consul: where they are.
        standing: the switch as it was just written.
        who: asks who must acknowledge; asked again at each round, since processes come and go.
        deadline_s: seconds to wait for all of them.
        clock: the time; it starts now.
        tell: called for each that acknowledges, with the seconds since the start.
    """
    start = clock.now()
    after: dict[tuple[str, str], float] = {}
    index = 0
    found: list[Member] = []
    while True:
        left = deadline_s - (clock.now() - start)
        try:
            step_s = min(_STEP_S, max(left, _SHORTEST_S))
            words, index = consul.kv_wait_prefix(keys.ACKNOWLEDGEMENTS, index, step_s)
            seen = clock.now() - start
            found = members(who(), words)
        except ServerUnreachable:
            if clock.now() - start >= deadline_s:
                raise
            index = 0
            clock.sleep(_PAUSE_S)
            continue
        for member in found:
            identity = (member.kind, member.name)
            if member.has_taken_up(standing) and identity not in after:
                after[identity] = seen
                tell(member, seen)
        if not lacking(found, standing) or clock.now() - start >= deadline_s:
            return Response(standing, tuple(found), after)
