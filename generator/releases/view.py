"""Releases as text and as documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from generator import planview
from generator.lock import Holder
from generator.planview import Line
from generator.release import Release, Stand
from generator.releases.back import last_restore, restored_since
from generator.releases.compare import JobDifference
from generator.releases.outcome import outcome

COLUMNS = ("ID", "STARTED", "BY", "WHAT", "VERSION", "REVISION", "OUTCOME", "JOBS")
_SHORT = 12
_IDLE = {"unchanged", "pending"}


def row(record: Release, records: Sequence[Release], holder: Holder | None) -> tuple[str, ...]:
    """Return a release as a row of the list."""
    changed = [
        f"{name} {job.get('version')}"
        for name, job in record.jobs.items()
        if job.get("result") not in _IDLE
    ]
    return (
        record.id,
        record.started[:19].replace("T", " "),
        record.who,
        record.kind,
        record.version or "-",
        short_revision(record.revision),
        outcome(record, records, holder),
        ", ".join(changed) or _origin(record),
    )


def _origin(record: Release) -> str:
    return f"database from {record.restored['backup']}" if record.restored else "-"


def short_revision(revision: str | None) -> str:
    """Return a commit as people write it, with a `+` where files differed from it."""
    if not revision:
        return "-"
    commit, _, changed = revision.partition("+")
    return commit[:_SHORT] + ("+" if changed else "")


def document(record: Release, records: Sequence[Release], holder: Holder | None) -> dict[str, Any]:
    """Return a release as `--json` prints it: its record, and how it ended after all."""
    return {**asdict(record), "ended_as": outcome(record, records, holder)}


def sentences(record: Release, records: Sequence[Release], holder: Holder | None) -> Iterator[str]:
    """Yield what is known of a release beside its jobs, a line each."""
    version = f" of {record.version}" if record.version else ""
    yield f"{record.id}: {record.kind}{version}, {outcome(record, records, holder)}"
    yield f"started   {record.started} by {record.who}"
    yield f"ended     {record.ended or '-'}"
    for name in ("reason", "revision", "plan", "completes", "back_to", "backup"):
        if said := getattr(record, name):
            yield f"{name:9} {said}"
    if record.backup_skipped:
        yield f"backup    none: {record.backup_skipped}"
    for name, found in record.overridden.items():
        yield f"overrode  {name}: {found}"
    if record.uncompared:
        yield f"compared  not {', '.join(record.uncompared)}: promoted by --promote"
    if (schema := record.known_schema) is not None:
        yield f"schema    {schema.revision}"
    if record.message:
        yield f"message   {record.message}"
    if record.restored:
        known = record.restored["revision"]
        came = "a schema that is not known" if known is None else f"schema {known or 'none'}"
        yield f"restored  {record.restored['database']} from {record.restored['backup']}, {came}"
    if (restore := last_restore(records, record)) is not None:
        yield restored_since(restore)


def stands(record: Release, kept: dict[str, bool]) -> list[tuple[str, ...]]:
    """Return a row for each job of the environment, as the release left it.

    Args:
        record: the release.
        kept: whether Nomad still has that version of a job; not there where that is not known.
    """
    rows: list[tuple[str, ...]] = []
    for name, stand in record.stands.items():
        result = record.jobs.get(name, {}).get("result")
        known = {True: "yes", False: "no"}.get(kept[name], "-") if name in kept else "-"
        rows.append(
            (
                name,
                str(result or "-"),
                str(stand.get("version")),
                str(stand.get("release") or "-"),
                known,
                ", ".join(_short_code(one) for one in stand.get("code") or ()) or "-",
            )
        )
    return rows


def _short_code(code: str) -> str:
    return code[: len("sha256:") + _SHORT] if code.startswith("sha256:") else code


def difference_lines(found: Sequence[JobDifference]) -> Iterator[Line]:
    """Yield what changed from one release to another; for a job without change one line."""
    for one in found:
        yield Line("title", f"{one.job}: {_versions(one)}")
        if one.left is not None and one.right is not None and one.state == "changed":
            yield from _code(one.left, one.right)
        if one.changes is None:
            yield Line("warning", "  ! Nomad has forgotten one of the specs.")
            continue
        yield from planview.change_lines(one.changes)


def _versions(one: JobDifference) -> str:
    left, right = (None if side is None else side.get("version") for side in (one.left, one.right))
    if one.state == "added":
        return f"version {right}, was not there"
    if one.state == "removed":
        return f"version {left}, is not there any more"
    return f"version {left}, the same" if one.state == "same" else f"version {left} → {right}"


def _code(left: Stand, right: Stand) -> Iterator[Line]:
    old, new = (", ".join(map(_short_code, side.get("code") or ())) for side in (left, right))
    if old != new:
        yield Line("edited", f"  ~ code: {old or '-'} → {new or '-'}")
