"""Records that tests make up."""

from __future__ import annotations

from typing import Any

from generator.release import Release


def record(number: int, version: str | None = None, outcome: str = "done", **more: Any) -> Release:
    """Return the record of a run; the higher the number, the newer it is."""
    said: dict[str, Any] = {
        "id": f"2026030{number}T120000.000000Z-000{number}",
        "environment": "prod",
        "kind": "run",
        "version": version,
        "outcome": outcome,
        "started": f"2026-03-0{number}T12:00:00+00:00",
        "ended": f"2026-03-0{number}T12:05:00+00:00",
        "holder": {"who": "kim", "host": "desk", "pid": number},
        **more,
    }
    return Release(**said)


def stand(version: int, **more: Any) -> dict[str, Any]:
    """Return what a record says of a job's version."""
    return {
        "version": version,
        "index": version * 10,
        "release": "1.0.0",
        "stable": True,
        "code": [f"sha256:{str(version) * 64}"],
        **more,
    }
