"""A plan as text and as a document; secrets are never in either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from generator.differ import Change
from generator.plan import Action, JobPlan, has_changes

Updates = Mapping[str, Mapping[str, int]]
Tone = Literal["title", "added", "deleted", "edited", "warning", "plain"]

_SAYS: dict[Action, str] = {
    "create": "new",
    "update": "changes",
    "rerun": "unchanged; runs again, since its last run failed",
    "retry": "unchanged; is started again, since its deployment failed",
    "watch": "unchanged; still on its way, a run goes on watching it",
    "none": "no change",
}
_SIGNS = {"added": "+", "deleted": "-", "edited": "~"}
_NOTES = {
    "forces create": "creates allocations",
    "forces destroy": "stops allocations",
    "forces create/destroy update": "destructive: replaces the allocation",
    "forces in-place update": "in place",
}


@dataclass(frozen=True)
class Line:
    """One line and how it is to be understood; the edge gives it its colour."""

    tone: Tone
    text: str


def lines(plans: Sequence[JobPlan]) -> list[Line]:
    """Lay plans out for a person.

    Args:
        plans: in the order of deployment.

    Returns:
        What changes, by job, group and task; for a job without change one line.
    """
    shown = [line for plan in plans for line in _job(plan)]
    if not has_changes(plans):
        shown.append(Line("plain", "Nothing to do."))
    return shown


def _job(plan: JobPlan) -> Iterator[Line]:
    version = "" if plan.version is None else f" (version {plan.version})"
    yield Line("title", f"{plan.job.name}{version}: {_SAYS[plan.action]}")
    yield from change_lines(plan.changes, plan.updates)
    seen = {change.group for change in plan.changes}
    if plan.action != "none":
        for group in plan.updates or {}:
            if group not in seen and (text := _updates(plan.updates, group)):
                yield Line("plain", f"  group {group}{text}")
    for sentence in plan.placement:
        yield Line("warning", f"  ! {sentence}")
    for warning in filter(None, (line.strip() for line in plan.warnings.splitlines())):
        yield Line("warning", f"  ! Nomad warns: {warning}")


def change_lines(changes: Sequence[Change], updates: Updates | None = None) -> Iterator[Line]:
    """Yield the changes of one job, by group and task.

    Args:
        changes: in the order of `differ.changes`.
        updates: what a run would do with each group's allocations.
    """
    for group, of_group in groupby(changes, key=lambda change: change.group):
        indent = "  "
        if group is not None:
            yield Line("plain", f"  group {group}{_updates(updates, group)}")
            indent = "    "
        for task, of_task in groupby(of_group, key=lambda change: change.task):
            yield from _changes(task, list(of_task), indent)


def _updates(updates: Updates | None, group: str) -> str:
    of_group = (updates or {}).get(group, {})
    text = ", ".join(f"{count} {kind}" for kind, count in of_group.items())
    return f": {text}" if text else ""


def _changes(task: str | None, found: list[Change], indent: str) -> Iterator[Line]:
    whole = found[0].path[0] == "task" and len(found) == 1
    if task is not None and not whole:
        yield Line("plain", f"{indent}task {task}")
        indent += "  "
    for change in found:
        yield from _change(change, indent)


def _change(change: Change, indent: str) -> Iterator[Line]:
    note = "".join(f"  [{_NOTES.get(one, one)}]" for one in change.note.split(", ") if one)
    sign = _SIGNS[change.kind]
    if change.path[0] in {"group", "task"}:
        extra = f" ({change.new})" if change.new else ""
        yield Line(change.kind, f"{indent}{sign} {change.path[0]} {change.path[1]}{extra}{note}")
        return
    if change.is_text:
        yield Line(change.kind, f"{indent}{sign} {change.label}{note}")
        for line in change.lines():
            tone: Tone = {"+": "added", "-": "deleted"}.get(line[:1], "plain")  # type: ignore[assignment]
            yield Line(tone, f"{indent}    {line}")
        return
    old, new = change.shown()
    value = {"added": f"{new!r}", "deleted": f"{old!r}"}.get(change.kind, f"{old!r} → {new!r}")
    if change.kind == "edited" and old == new:
        value = f"{old} → {new} (changed, not shown)"
    yield Line(change.kind, f"{indent}{sign} {change.label}: {value}{note}")


def document(environment: str, release: str, plans: Sequence[JobPlan]) -> dict[str, Any]:
    """Return what `flowrexctl plan --json` prints."""
    return {
        "environment": environment,
        "release": release,
        "changes": has_changes(plans),
        "jobs": [_job_document(plan) for plan in plans],
    }


def _job_document(plan: JobPlan) -> Mapping[str, Any]:
    return {
        "job": plan.job.name,
        "kind": plan.job.kind,
        "action": plan.action,
        "version": plan.version,
        "index": plan.index,
        "sha256": plan.job.sha256,
        "updates": plan.updates or {},
        "changes": [change_document(change) for change in plan.changes],
        "placement_failures": list(plan.placement),
        "warnings": plan.warnings,
    }


def change_document(change: Change) -> Mapping[str, Any]:
    """Return one change as `--json` prints it."""
    shown: dict[str, Any] = {
        "group": change.group,
        "task": change.task,
        "path": list(change.path),
        "kind": change.kind,
        "note": change.note or None,
    }
    if change.is_text:
        return shown | {"diff": change.lines()}
    old, new = change.shown()
    return shown | {"old": old, "new": new}
