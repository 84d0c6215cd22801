"""Proves the trail of an environment, with what its agents say of their chains' ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flowrex.audit.proof import Break, Proof, examine
from flowrex.audit.verify import Tip, join
from flowrex.consul import KVEntry
from flowrex.errors import NotFound, ServerRefused
from flowrex.s3 import WrongChecksum
from generator.trail.bucket import Trail


@dataclass(frozen=True)
class Verdict:
    """What was proved.

    Attributes:
        breaks: every place where the trail is not what it was; the first one first.
        segments: how many were read.
        lines: how many lines are in them.
        quarantined: how many of those are quarantined.
        unchained: how many are of no chain, so that only the segments' chain protects them.
        nodes: by node, the number of its last segment.
        compared: the nodes whose agents said how far they had come, which was compared.
        agents_problem: why no agent could be asked; empty where they were.
    """

    breaks: Sequence[Break]
    segments: int
    lines: int
    quarantined: int
    unchained: int
    nodes: Mapping[str, int]
    compared: Sequence[str]
    agents_problem: str = ""

    @property
    def not_compared(self) -> list[str]:
        """The nodes of which nothing but their own segments tells where they end."""
        return [node for node in self.nodes if node not in self.compared]

    def document(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "whole": not self.breaks,
            "breaks": [one.__dict__ for one in self.breaks],
            "segments": self.segments,
            "lines": self.lines,
            "quarantined": self.quarantined,
            "unchained": self.unchained,
            "nodes": dict(self.nodes),
            "compared_with_agents": list(self.compared),
            "not_compared": self.not_compared,
            "agents_problem": self.agents_problem,
        }


def verify(
    trail: Trail,
    *,
    since: datetime | None = None,
    nodes: Sequence[str] = (),
    tips: Mapping[str, Tip],
    agents_problem: str = "",
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Verdict:
    """Read every byte of every segment and prove that they fit together.

    Args:
        trail: where they are.
        since: only what was shipped since then.
        nodes: of these nodes only; of all where there are none.
        tips: by node, how far its agent says it has come. To be asked for before this is called.
        agents_problem: why the agents could not be asked for it.
        progress: is told how many segments are done, and of how many.

    Raises:
        ServerUnreachable: the store does not answer.
    """
    entries = trail.segments(since=since, nodes=nodes)
    breaks: list[Break] = []
    proofs: list[Proof] = []
    for done, one in enumerate(trail.each(entries, _examine), 1):
        if isinstance(one, Break):
            breaks.append(one)
        else:
            proofs.append(one)
        progress(done, len(entries))
    known = {node: tip for node, tip in tips.items() if not nodes or node in nodes}
    breaks = sorted([*breaks, *join(proofs, partial=since is not None, tips=known)])
    return Verdict(
        breaks,
        len(entries),
        sum(proof.head.lines for proof in proofs),
        sum(proof.head.quarantined for proof in proofs),
        sum(proof.unchained for proof in proofs),
        _last(proofs),
        sorted(known),
        agents_problem,
    )


def _examine(key: str, pieces: Iterator[bytes]) -> Proof | Break:
    try:
        return examine(key, pieces)
    except (WrongChecksum, NotFound) as error:
        return Break(key.split("/")[1], 0, key, error.message)
    except ServerRefused as error:
        return Break(key.split("/")[1], 0, key, f"it can't be read: {error.message}")


def _last(proofs: Sequence[Proof]) -> dict[str, int]:
    last: dict[str, int] = {}
    for proof in proofs:
        last[proof.head.node] = max(last.get(proof.head.node, 0), proof.head.number)
    return dict(sorted(last.items()))


def tips_of(entries: Sequence[KVEntry], environment: str) -> dict[str, Tip]:
    """Return how far the agents say that they have come, from what they publish in Consul.

    Args:
        entries: what is under `flowrex/agents/`.
        environment: its name; agents of others are left out.
    """
    tips = {}
    for entry in entries:
        try:
            document = json.loads(entry.value or b"")
            if document["environment"] != environment:
                continue
            tip = document["tasks"]["audit"]["sinks"]["s3"]["tip"]
            if tip and tip["number"]:
                tips[str(document["node"])] = Tip(int(tip["number"]), str(tip["digest"]))
        except (ValueError, KeyError, TypeError):
            continue  # an agent that ships no audit log
    return tips
