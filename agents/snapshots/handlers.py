"""What operators ask of snapshots by `flowrexctl backup --kind snapshots`.

snapshot_take     of (vault, consul, nomad, redis; all if absent)   → taken
snapshot_list     of                                                → snapshots
snapshot_verify   of, name (`newest` if absent)                     → good, what was found
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agents.backup import view
from agents.backup.hands import Hands, handler
from agents.context import Context
from agents.requests.handler import Handling, only
from agents.snapshots.source import SnapshotBroken
from agents.snapshots.work import Snapshots
from flowrex.errors import FlowrexError, ServerRefused, UsageError

_MOST_LISTED = 50


def handlings(make: Callable[[Context], Snapshots] = Snapshots.of) -> dict[str, Handling]:
    """Return how each kind is done.

    Args:
        make: makes the work of the agent's surroundings.
    """

    return {
        "snapshot_take": Handling(handler(make, _take)),
        "snapshot_list": Handling(handler(make, _list), resumes=True),
        "snapshot_verify": Handling(handler(make, _verify), resumes=True),
    }


def _take(snapshots: Snapshots, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "of")
    taken, failed = [], []
    for kind in _kinds(snapshots, asked):
        hands.say(f"taking a snapshot of {kind}")
        try:
            made = snapshots.take(kind, "manual", tick=hands.tick)
        except FlowrexError as error:
            # One server that is away must not cost the others' snapshots.
            failed.append(f"{kind}: {error.message}")
            continue
        assert made is not None
        taken.append({"of": kind, "name": made.name, "bytes": made.stored_size})
    if failed:
        good = ", ".join(f"{one['of']} ({one['name']})" for one in taken) or "none"
        raise ServerRefused(f"{'; '.join(failed)}. Good: {good}")
    return {"taken": taken}


def _list(snapshots: Snapshots, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "of")
    found = []
    for kind in _kinds(snapshots, asked):
        hands.tick()
        found += [
            {"of": kind, **view.line(one)} for one in snapshots.list(kind).backups[-_MOST_LISTED:]
        ]
    return {"snapshots": found}


def _verify(snapshots: Snapshots, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "of", "name")
    name = asked.get("name", "newest")
    kinds = _kinds(snapshots, asked)
    if name != "newest" and len(kinds) != 1:
        raise UsageError(f"of which server is the snapshot {name}?", hint="Say it with `of`.")
    found = []
    for kind in kinds:
        hands.say(f"reading the {name} snapshot of {kind}")
        chosen = snapshots.list(kind).find(name).name
        try:
            text = snapshots.verify(kind, chosen, tick=hands.tick).text
            found.append({"of": kind, "name": chosen, "good": True, "text": text})
        except SnapshotBroken as error:
            found.append({"of": kind, "name": chosen, "good": False, "text": error.message})
    return {"good": all(one["good"] for one in found), "verified": found}


def _kinds(snapshots: Snapshots, asked: Mapping[str, str]) -> list[str]:
    kind = asked.get("of", "")
    if not kind:
        return list(snapshots.sources)
    snapshots.source(kind)  # raises where it is not switched on
    return [kind]
