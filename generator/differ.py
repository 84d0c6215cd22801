"""Nomad's diff of a job, as a list of changes in the order in which they are read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from generator import mask

Kind = Literal["added", "deleted", "edited"]
Raw = Mapping[str, Any]

_KINDS: dict[str, Kind] = {"Added": "added", "Deleted": "deleted", "Edited": "edited"}
# Only people who read Nomad's source need these.
_NOISE = re.compile(r"^(Version|Stable|.*Index|SubmitTime|Namespace|Region|Affinities)$")
_NANOSECONDS = re.compile(
    r"(Interval|Timeout|Delay|Deadline|Time|Grace|Splay|Stagger|MaxDelay|Min|Max|TTL|Lost"
    r"|StopOnClientAfter|LostAfter)$"
)
# Which field of an object says which one it is, where its own name does not.
_NAMED_BY = ("DestPath", "RelativeDest", "Label", "Name", "Role", "Attribute", "LTarget")


@dataclass(frozen=True)
class Change:
    """One thing that a submission would change."""

    group: str | None
    task: str | None
    path: tuple[str, ...]
    kind: Kind
    old: str
    new: str
    note: str = ""

    @property
    def label(self) -> str:
        """The path for a person: `service backend / check ready / interval`."""
        return " / ".join(self.path)

    @property
    def is_text(self) -> bool:
        """Whether it is better shown line by line."""
        return "\n" in self.old or "\n" in self.new

    @property
    def is_count(self) -> bool:
        """Whether it changes how many allocations a group has, and nothing of them."""
        return self.path == ("count",) and self.kind == "edited" and self.task is None

    def lines(self) -> list[str]:
        """Return a unified diff of the two texts, secrets masked."""
        old, new = (mask.shapes(text).splitlines() for text in (self.old, self.new))
        differences = list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]
        return [mask.line(line) for line in differences] or ["(changed, not shown)"]

    def shown(self) -> tuple[str, str]:
        """Return the old and the new value as they may be shown."""
        name = self.path[-1]
        old, new = (readable(name, mask.value(name, text)) for text in (self.old, self.new))
        return old, new


def counts_only(found: Sequence[Change]) -> bool:
    """Tell whether there are changes, of counts and of nothing else."""
    return bool(found) and all(change.is_count for change in found)


def changes(diff: Raw) -> tuple[Change, ...]:
    """Flatten the diff of a plan.

    Args:
        diff: Nomad's `Diff`.

    Returns:
        The changes: of the job, then of each group, then of each of its tasks. A group or a task
        that is new or gone is one change, not one for each of its fields.
    """
    if diff.get("Type") == "Added":
        return tuple(_added_job(diff))
    return tuple(_walk(diff))


def _added_job(diff: Raw) -> Iterator[Change]:
    for group in diff.get("TaskGroups") or ():
        count = next((f["New"] for f in group.get("Fields") or () if f["Name"] == "Count"), "1")
        yield Change(group["Name"], None, ("group", group["Name"]), "added", "", f"count {count}")
        for task in group.get("Tasks") or ():
            yield Change(group["Name"], task["Name"], ("task", task["Name"]), "added", "", "")


def _walk(diff: Raw) -> Iterator[Change]:
    yield from _content(None, None, diff)
    for group in diff.get("TaskGroups") or ():
        name = group["Name"]
        if group["Type"] in {"Added", "Deleted"}:
            yield Change(name, None, ("group", name), _KINDS[group["Type"]], "", "")
            continue
        yield from _content(name, None, group)
        for task in group.get("Tasks") or ():
            if task["Type"] in {"Added", "Deleted"}:
                path = ("task", task["Name"])
                yield Change(name, task["Name"], path, _KINDS[task["Type"]], "", "")
            else:
                yield from _content(name, task["Name"], task)


def _content(
    group: str | None, task: str | None, node: Raw, path: tuple[str, ...] = ()
) -> Iterator[Change]:
    if node.get("Name") == "Constraint" and node["Type"] in {"Added", "Deleted"}:
        yield _constraint(group, task, node)
        return
    fields, lists = _lists(node)
    for name, (old_text, new_text) in lists.items():
        yield Change(group, task, (*path, name), "edited", old_text, new_text)
    for field in sorted(_shown(fields), key=lambda one: str(one["Name"])):
        note = ", ".join(field.get("Annotations") or ())
        yield Change(
            group,
            task,
            (*path, _field_name(field["Name"])),
            _KINDS[field["Type"]],
            field.get("Old") or "",
            field.get("New") or "",
            note,
        )
    for merged in _pairs(node.get("Objects") or ()):
        yield from _content(group, task, merged, (*path, *_object_name(merged)))


def _constraint(group: str | None, task: str | None, node: Raw) -> Change:
    values = {f["Name"]: f.get("New") or f.get("Old") or "" for f in node.get("Fields") or ()}
    text = " ".join(values.get(name, "") for name in ("LTarget", "Operand", "RTarget")).strip()
    kind = _KINDS[node["Type"]]
    old, new = (text, "") if kind == "deleted" else ("", text)
    return Change(group, task, ("constraint",), kind, old, new)


def _lists(node: Raw) -> tuple[list[Raw], dict[str, tuple[str, str]]]:
    """Take the lists that changed out of an object's fields, as texts of one entry a line.

    Nomad compares lists by position: one more argument at the front changes every field after it.
    """
    fields = list(node.get("Fields") or ())
    entries: dict[str, dict[int, Raw]] = {}
    for field in fields:
        if found := re.fullmatch(r"(\w+)\[(\d+)\]", field["Name"]):
            entries.setdefault(found[1], {})[int(found[2])] = field
    lists = {}
    for name, by_position in entries.items():
        ordered = [by_position[position] for position in sorted(by_position)]
        if any(field["Type"] != "None" for field in ordered):
            lists[name] = (
                "".join(f["Old"] + "\n" for f in ordered if f["Type"] != "Added"),
                "".join(f["New"] + "\n" for f in ordered if f["Type"] != "Deleted"),
            )
        fields = [field for field in fields if field not in ordered]
    return fields, lists


def _shown(fields: Sequence[Raw]) -> Iterator[Raw]:
    for field in fields:
        if field["Type"] == "None" or _NOISE.match(field["Name"]):
            continue
        # An object that is new lists its defaults too; a reader looks for what is set.
        default = {"", "0", "false"}
        if (field.get("Old") or "") in default and (field.get("New") or "") in default:
            continue
        yield field


def _pairs(objects: Sequence[Raw]) -> Iterator[Raw]:
    """Join an object that is gone with the one that took its place, so that lines can be compared.

    Nomad reports a changed artifact, and in some versions a changed template, as one deleted and
    one added.
    """
    deleted = [one for one in objects if one["Type"] == "Deleted"]
    for one in objects:
        if one["Type"] in {"None", "Deleted"}:
            continue
        twin = next((gone for gone in deleted if _identity(gone) == _identity(one)), None)
        if one["Type"] == "Added" and twin is not None:
            deleted.remove(twin)
            yield _joined(twin, one)
        else:
            yield one
    yield from deleted


def _identity(node: Raw) -> tuple[str, str]:
    return node["Name"], _identifier(node)


def _joined(old: Raw, new: Raw) -> Raw:
    before = {field["Name"]: field.get("Old") or "" for field in old.get("Fields") or ()}
    after = {field["Name"]: field.get("New") or "" for field in new.get("Fields") or ()}
    fields = [
        {
            "Name": name,
            "Type": "None" if before.get(name, "") == after.get(name, "") else "Edited",
            "Old": before.get(name, ""),
            "New": after.get(name, ""),
        }
        for name in sorted(before.keys() | after.keys())
    ]
    objects = [*(old.get("Objects") or ()), *(new.get("Objects") or ())]
    return {"Name": new["Name"], "Type": "Edited", "Fields": fields, "Objects": objects}


def _identifier(node: Raw) -> str:
    values = {f["Name"]: f.get("New") or f.get("Old") or "" for f in node.get("Fields") or ()}
    return next((str(values[name]) for name in _NAMED_BY if values.get(name)), "")


def _object_name(node: Raw) -> tuple[str, ...]:
    kind = _words(node["Name"])
    identifier = _identifier(node)
    return (f"{kind} {identifier}" if identifier else kind,)


def _field_name(name: str) -> str:
    if found := re.fullmatch(r"(\w+)\[(.+)\]", name):
        return f"{_words(found[1])} {found[2]}"
    return _words(name)


def _words(name: str) -> str:
    """Return Nomad's CamelCase as the job file spells it."""
    special = {"EmbeddedTmpl": "data", "GetterSource": "source", "GetterOptions": "options"}
    return special.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def readable(name: str, text: str) -> str:
    """Return a value with durations in units that people read.

    Args:
        name: the last part of a change's path.
        text: Nomad's text of the value.
    """
    camel = "".join(part.capitalize() for part in name.split("_"))
    if text.isdigit() and int(text) >= 1_000_000 and _NANOSECONDS.search(camel):
        milliseconds = int(text) // 1_000_000
        if milliseconds % 60_000 == 0:
            return f"{milliseconds // 60_000}m"
        return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"
    return text
