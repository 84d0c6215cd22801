"""What the node's own programs are told of a change of the emergency."""

from __future__ import annotations

from dataclasses import dataclass

from flowrex import hooks
from flowrex.emergency import Emergency


@dataclass(frozen=True)
class Occasion:
    """Why hooks are run.

    Attributes:
        node: this node.
        environment: its environment.
        change: the change's name, the same after a restart.
        index: Consul's index of the switch.
        emergency: what the switch says.
        seen: when this node saw it.
        attempt: 1, or more where an earlier run was cut off.
    """

    node: str
    environment: str
    change: str
    index: int
    emergency: Emergency
    seen: str
    attempt: int

    def document(self) -> dict[str, object]:
        """Return what a hook reads on standard input."""
        said = self.emergency
        return {
            "node": self.node,
            "environment": self.environment,
            "change": self.change,
            "index": self.index,
            "level": said.level.word,
            "reason": said.reason,
            "by": said.by,
            "at": said.at,
            "problem": said.problem,
            "seen": self.seen,
            "attempt": self.attempt,
        }

    def environ(self) -> dict[str, str]:
        """Return a hook's whole environment."""
        said = self.emergency
        return hooks.environ(
            {
                "FLOWREX_NODE": self.node,
                "FLOWREX_ENVIRONMENT": self.environment,
                "FLOWREX_CHANGE": self.change,
                "FLOWREX_LEVEL": said.level.word,
                "FLOWREX_REASON": said.reason,
                "FLOWREX_BY": said.by,
                "FLOWREX_AT": said.at,
                "FLOWREX_ATTEMPT": str(self.attempt),
            }
        )
