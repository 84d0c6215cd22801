"""Backups as documents, for `--json`, answers to operators and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.backup import records
from agents.backup.catalog import Backup
from agents.backup.records import Record


def line(backup: Backup) -> dict[str, Any]:
    """Return what a list says of a backup."""
    looked = records.verified(backup.records)
    drilled = records.drilled(backup.records)
    manifest = backup.manifest
    return {
        "name": backup.name,
        "at": backup.at.isoformat(),
        "bytes": backup.bytes,
        "good": backup.good,
        "state": state(backup),
        "held": backup.held,
        "verified_at": looked.at.isoformat() if looked else None,
        "drilled_at": drilled.at.isoformat() if drilled else None,
        "reason": manifest.reason if manifest else None,
        "node": manifest.node if manifest else None,
        "schema_revision": manifest.schema_revision if manifest else None,
        "problem": backup.problem or None,
    }


def whole(backup: Backup, found: Sequence[Record]) -> dict[str, Any]:
    """Return everything that is known of a backup; its data key only as it is wrapped."""
    return {
        **line(backup),
        "manifest": backup.manifest.document() if backup.manifest else None,
        "records": [record(one) for one in found],
    }


def record(one: Record) -> dict[str, Any]:
    """Return a record."""
    return {
        "kind": one.kind,
        "at": one.at.isoformat(),
        "good": one.good,
        "by": one.by,
        "text": one.text,
        "details": dict(one.details),
    }


def state(backup: Backup) -> str:
    """Return a word for how good a backup is."""
    if backup.manifest is None:
        return "unreadable"
    looked = records.verified(backup.records)
    if looked is None:
        return "unverified"
    return "good" if looked.good else "broken"
