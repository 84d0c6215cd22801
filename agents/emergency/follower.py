"""Follow the kill switch on a thread: take a change up, have it on disk, acknowledge it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from agents.context import Context
from flowrex import __version__, keys
from flowrex.acknowledgement import acknowledge
from flowrex.consul.watch import KeyWatch, Missed, Reading
from flowrex.duration import seconds
from flowrex.errors import FlowrexError, PermissionRefused
from flowrex.switch import State, Switch

_log = logging.getLogger(__name__)

KIND = "agent"
_WAIT_S = 10.0


class Follower:
    """The node's switch.

    Attributes:
        heard: when the watch said something last, by the monotonic clock.
        acknowledged: the index and the level that were acknowledged last.
        acknowledged_at: when that was, an ISO 8601 time.
        problem: why the switch can't be acknowledged; empty where it can.
    """

    def __init__(self, context: Context, changed: Callable[[], None]) -> None:
        """Take up what an earlier life left; nothing is asked before `start`.

        Args:
            context: the surroundings.
            changed: called on the watch's thread after each of its rounds.
        """
        clock = context.clock
        grace_s = seconds(context.settings.emergency.grace)
        self._context = context
        self._changed = changed
        self._switch = Switch(
            grace_s=grace_s,
            file=context.state("emergency") / "switch.json",
            clock=clock.monotonic,
            wall=lambda: clock.now().timestamp(),
        )
        self._watch = KeyWatch(
            context.consul,
            keys.EMERGENCY,
            self.take,
            wait_s=min(_WAIT_S, grace_s / 3),
            clock=clock.monotonic,
        )
        self.heard = clock.monotonic()
        self.acknowledged: tuple[int, str] | None = None
        self.acknowledged_at = ""
        self.problem = ""

    def start(self) -> None:
        """Begin to follow."""
        self.heard = self._context.clock.monotonic()
        self._watch.start()

    def stop(self) -> None:
        """Take nothing up any more; a query that Consul holds is left to itself."""
        self._watch.stop(0.1)

    def state(self) -> State:
        """Return what holds now."""
        return self._switch.state()

    def take(self, told: Reading | Missed) -> None:
        """Take up what the watch tells. It is in force, and on disk, before it is acknowledged."""
        self.heard = self._context.clock.monotonic()
        self._switch.take(told)
        if isinstance(told, Reading):
            self._acknowledge(written=told.entry is not None)
        self._changed()

    def _acknowledge(self, *, written: bool) -> None:
        """Acknowledge what is not acknowledged yet; what fails is tried again in the next round.

        Args:
            written: whether there is such a key. Without one the index is that of any write to
                Consul, this one included, so that only the level counts.
        """
        state = self.state()
        now = (state.index, state.emergency.level.word)
        last = self.acknowledged
        if state.index == 0 or last == now or (last and not written and last[1] == now[1]):
            return
        wall = self._context.clock.now().timestamp()
        said = acknowledge(state, wall=wall, node=self._context.node, release=__version__)
        try:
            key = keys.acknowledgement(KIND, self._context.node)
            self._context.consul().kv_put(key, said.encode())
        except FlowrexError as error:
            if isinstance(error, PermissionRefused):
                self._context.refused()
            self.problem = f"the switch can't be acknowledged: {error.message}"
            _log.warning("emergency is not acknowledged yet", extra={"error": error.message})
            return
        self.problem = ""
        self.acknowledged, self.acknowledged_at = now, said.at
