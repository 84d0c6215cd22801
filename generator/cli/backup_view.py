"""Agents' answers about backups, as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from flowrex.command import output

Result = Mapping[str, Any]


def taken(kind: str, result: Result) -> str:
    """Return the sentence about what was taken.

    Args:
        kind: `logical`, `physical` or `snapshots`.
        result: the agent's.
    """
    if kind == "snapshots":
        return "\n".join(
            f"{one['of']}: {one['name']}, {size(one['bytes'])}" for one in result.get("taken", ())
        )
    if kind == "physical":
        stored, whole = size(result.get("stored", 0)), size(result.get("size", 0))
        said = f"{result.get('kind')}, {whole}, {stored} in the store"
        return f"{result.get('name')}: {said}, in {result.get('seconds', 0)} s"
    return f"{result.get('name')}: {size(result.get('bytes', 0))} in {result.get('seconds', 0)} s"


def listed(kind: str, result: Result) -> str:
    """Return the table of what there is; see `taken`."""
    if kind == "physical":
        return _physical(result)
    if kind == "snapshots":
        return _snapshots(result)
    rows = [
        (
            one["name"],
            size(one["bytes"]),
            _state(one),
            "held" if one["held"] else "-",
            one["verified_at"] or "-",
            one["drilled_at"] or "-",
        )
        for one in result.get("backups", ())
    ]
    headers = ("NAME", "SIZE", "STATE", "HELD", "VERIFIED", "DRILLED")
    return output.table(rows, headers) if rows else "There is no backup."


def shown(result: Result) -> str:
    """Return everything that is known of a backup, a line a thing."""
    lines = [f"{key}: {plain(value)}" for key, value in result.items() if key != "records"]
    lines += [
        f"{one['at']} {one['kind']}: {one['text'] or ('good' if one['good'] else 'not good')}"
        for one in result.get("records", ())
    ]
    return "\n".join(lines)


def judged(result: Result) -> str:
    """Return whether what was looked at is good, in a sentence each."""
    if "verified" in result:
        return "\n".join(
            _judgement(f"{one['name']} of {one['of']}", one) for one in result["verified"]
        )
    return _judgement(str(result.get("name")), result)


def size(count: float) -> str:
    """Return a count of bytes as people write it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def plain(value: object) -> str:
    """Return a value as a line has it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _physical(result: Result) -> str:
    rows = [
        (
            one["label"],
            one["kind"],
            one["stopped"],
            size(one["size"]),
            size(one["stored"]),
            click.style("wrong pages", fg="red") if one["error"] else one["hold"] or "-",
            one.get("drilled") or "-",
        )
        for one in result.get("backups", ())
    ]
    headers = ("NAME", "TYPE", "ENDED", "SIZE", "STORED", "HELD FOR", "DRILLED")
    lines = [output.table(rows, headers) if rows else "There is no backup."]
    if result.get("newest_wal"):
        lines.append(f"WAL from {result['oldest_wal']} to {result['newest_wal']}.")
    else:
        lines.append("There is no archived WAL.")
    if result.get("problem"):
        lines.append(click.style(f"pgBackRest says: {result['problem']}", fg="red"))
    return "\n".join(lines)


def _snapshots(result: Result) -> str:
    rows = [
        (one["of"], one["name"], size(one["bytes"]), _state(one), one["verified_at"] or "-")
        for one in result.get("snapshots", ())
    ]
    headers = ("OF", "NAME", "SIZE", "STATE", "VERIFIED")
    return output.table(rows, headers) if rows else "There is no snapshot."


def _state(one: Result) -> str:
    return click.style(str(one["state"]), fg="green" if one["good"] else "yellow")


def _judgement(what: str, one: Result) -> str:
    good = one.get("good") is True
    word = click.style("good", fg="green") if good else click.style("NOT GOOD", fg="red", bold=True)
    return f"{what} is {word}. {one.get('text') or ''}".strip()
