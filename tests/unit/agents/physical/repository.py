"""Repositories for the tests, as pgBackRest 2.45 describes them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

FULL = "20260201-020000F"
DIFF = "20260201-020000F_20260202-020000D"


def backup(label: str, stopped: datetime, *, wal: int = 2, **more: Any) -> dict[str, Any]:
    seconds = int(stopped.timestamp())
    return {
        "annotation": {"by": "schedule"},
        "archive": {"start": f"{1:08X}{0:08X}{wal:08X}", "stop": f"{1:08X}{0:08X}{wal:08X}"},
        "backrest": {"format": 5, "version": "2.45"},
        "database": {"id": 1, "repo-key": 1},
        "error": False,
        "info": {
            "delta": 1000,
            "repository": {"delta": 100, "size": 100},
            "size": 1000,
        },
        "label": label,
        "lsn": {"start": f"0/{wal:X}000028", "stop": f"0/{wal:X}000100"},
        "prior": None if label.endswith("F") else label.split("_")[0],
        "reference": None,
        "timestamp": {"start": seconds - 60, "stop": seconds},
        "type": {"F": "full", "D": "diff", "I": "incr"}[label[-1]],
        **more,
    }


def document(*backups: dict[str, Any], code: int = 0, message: str = "ok") -> str:
    archive = {"database": {"id": 1, "repo-key": 1}, "id": "15-1", "max": None, "min": None}
    return json.dumps(
        [
            {
                "archive": [archive],
                "backup": list(backups),
                "cipher": "aes-256-cbc",
                "db": [{"id": 1, "repo-key": 1, "system-id": 7712179853858405413, "version": "15"}],
                "name": "flowrex",
                "repo": [],
                "status": {"code": code, "message": message},
            }
        ]
    )
