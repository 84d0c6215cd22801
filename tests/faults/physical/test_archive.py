"""The archive goes away, a backup dies in its middle, a segment is stolen, a file is changed.

In this order: what the last two break stays broken.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.archived import Database
from tests.cluster import ROOT, eventually

# Two looks of the agent, and a push that gives up; the machine may be busy.
SOON_S = 120


def alarms(database: Database) -> list[str]:
    return [one["alarm"] for one in database.status()["alarms"]]


def stored(database: Database, pattern: str) -> list[Path]:
    """Return objects of the repository, where the gateway keeps them."""
    root = database.cluster.state / "data/s3/buckets/flowrex-backups/physical"
    return sorted(path for path in root.rglob(pattern) if path.is_file())


def test_while_the_store_is_away_wal_is_kept_and_then_caught_up(database: Database) -> None:
    database.kill("s3-tls")
    waiting: list[str] = []
    for row in range(3):
        database.add(row)
        waiting.append(database.ask("SELECT pg_walfile_name(pg_switch_wal())"))
    eventually(
        lambda: "archive failing" in alarms(database), within=SOON_S, every=2, what="the alarm"
    )
    assert database.status()["waiting_segments"] >= 3
    kept = database.ask("SELECT array_agg(name) FROM pg_ls_waldir()")
    assert set(waiting) <= set(kept), "WAL that is not archived must stay"

    begun = time.monotonic()
    database.cluster.run("dev", "up")
    eventually(
        lambda: not database.status()["waiting_segments"] and not alarms(database),
        within=SOON_S,
        every=2,
        what="the end of the alarm",
    )
    sys.stdout.write(f"\ncaught up {time.monotonic() - begun:.0f} s after the store came back\n")
    names = [path.name[:24] for path in stored(database, "0000000*.zst")]
    assert set(waiting) <= set(names)
    raised = [
        (line["message"], line.get("alarm"))
        for line in map(json.loads, (database.cluster.state / "logs/agent.log").open())
        if line.get("alarm") == "archive failing"
    ]
    assert raised[-2:] == [
        ("alarm raised", "archive failing"),
        ("alarm cleared", "archive failing"),
    ]


def test_a_backup_that_was_killed_in_its_middle_is_none_and_stands_in_nobodys_way(
    database: Database,
) -> None:
    before = database.document("physical", "list")["backups"]
    child = subprocess.Popen(
        [
            *(sys.executable, "-m", "agents.main", "physical", "backup", "full"),
            *("--config", database.cluster.state / "config/agent.yaml"),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    running = f"/proc/{child.pid}/task/{child.pid}/children"
    found = eventually(
        lambda: [
            int(pid)
            for pid in Path(running).read_text().split()
            if b"pgbackrest" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ],
        every=0.01,
        what="pgBackRest's start",
    )
    time.sleep(0.7)
    os.kill(found[0], signal.SIGKILL)
    assert child.wait(timeout=60) == 6
    assert database.document("physical", "list")["backups"] == before
    database.agent("physical", "backup", "full")
    assert len(database.document("physical", "list")["backups"]) == len(before) + 1
    database.agent("physical", "verify")


def test_postgresql_and_the_agent_killed_while_they_archive_lose_nothing(
    database: Database,
) -> None:
    last = ""
    for row in range(10, 13):
        database.add(row)
        last = database.ask("SELECT pg_walfile_name(pg_switch_wal())")
        database.kill("postgres")
        database.kill("agent")
        database.cluster.run("dev", "up")
    eventually(
        lambda: (database.document("physical", "list")["newest_wal"] or "") >= last,
        within=SOON_S,
        every=2,
        what="the archiving of what was written before the last kill",
    )
    eventually(
        lambda: database.status()["archived_segments"] and not alarms(database),
        within=SOON_S,
        every=2,
        what="an archive without an alarm",
    )
    assert database.ask("SELECT count(*) FROM moments WHERE id >= 10") == 3


def test_a_stolen_segment_is_missed(database: Database) -> None:
    segments = stored(database, "0000000*.zst")
    segments[len(segments) // 2].unlink()
    name = segments[len(segments) // 2].name[:24]
    # pgBackRest itself finds nothing wrong with what is left.
    database.agent("physical", "verify")
    eventually(
        lambda: any(name in one["why"] for one in database.status()["alarms"]),
        within=SOON_S,
        every=2,
        what=f"the alarm that {name} is gone",
    )
    assert "wal gap" in alarms(database)
    assert database.status()["missing_segments"] == 1


def test_a_changed_file_is_found(database: Database) -> None:
    victim = stored(database, "0000000*.zst")[-1]
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 0xFF
    victim.write_bytes(content)
    database.agent("physical", "verify", expect=6)
