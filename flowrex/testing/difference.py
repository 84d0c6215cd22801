"""What Nomad says of how two specs differ, as far as tests of deployments look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Spec = Mapping[str, Any]


def difference(old: Spec, new: Spec) -> dict[str, Any]:
    """Return the diff of a plan or of a version: meta, stop, and each group's count.

    Args:
        old: the version that is there; what only Nomad keeps beside it is not looked at.
        new: the spec that would take its place.
    """
    fields = [*_meta(old, new), *_field("Stop", bool(old.get("Stop")), bool(new.get("Stop")))]
    groups = [group for group in _groups(old, new) if group["Fields"]]
    same = all(old.get(name) == new.get(name) for name in new if name[:1] != "_")
    kind = "None" if same and not fields else "Edited"
    return {"Type": kind, "Fields": fields, "Objects": None, "TaskGroups": groups}


def _meta(old: Spec, new: Spec) -> Iterator[dict[str, Any]]:
    before, after = old.get("Meta") or {}, new.get("Meta") or {}
    for name in sorted({*before, *after}):
        yield from _field(f"Meta[{name}]", before.get(name, ""), after.get(name, ""))


def _groups(old: Spec, new: Spec) -> Iterator[dict[str, Any]]:
    before = {group["Name"]: group for group in old.get("TaskGroups") or ()}
    for group in new.get("TaskGroups") or ():
        there = before.get(group["Name"], {})
        fields = [
            field
            for name in sorted({*there, *group} - {"Name"})
            for field in _field(name, there.get(name), group.get(name))
        ]
        yield {"Name": group["Name"], "Type": "Edited", "Fields": fields, "Objects": None}


def _field(name: str, old: object, new: object) -> Iterator[dict[str, Any]]:
    if old != new:
        yield {"Name": name, "Type": "Edited", "Old": _text(old), "New": _text(new)}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
