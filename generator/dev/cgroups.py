"""The control groups of the cluster's tasks.

With cgroups v2 Nomad puts them under a parent that is this cluster's own. With v1 it has one parent
for every Nomad on the machine, so ours are told by their allocations' ids.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from generator.dev import proc
from generator.dev.layout import Layout

BASE = Path("/sys/fs/cgroup")

_SHARED = "nomad"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TRIES = 20


def allocation_ids(layout: Layout) -> set[str]:
    """Return the allocations that have a folder in the cluster."""
    return {
        entry.name
        for node in (layout.root / "alloc").glob("*")
        for entry in node.iterdir()
        if _ID.fullmatch(entry.name)
    }


def of_cluster(layout: Layout, ids: Iterable[str], base: Path = BASE) -> list[Path]:
    """Return the cluster's cgroups, in every hierarchy, the innermost first.

    Args:
        layout: the cluster.
        ids: its allocations.
        base: where the hierarchies are mounted.
    """
    wanted = set(ids)
    tops = [base / layout.cgroup, *base.glob(f"*/{layout.cgroup}")]
    found = {folder for top in tops if top.is_dir() for folder in (top, *_folders(top))}
    for shared in (base / _SHARED, *base.glob(f"*/{_SHARED}")):
        for folder in _folders(shared):
            named = (_ID.match(part) for part in folder.relative_to(shared).parts)
            if any(match and match[0] in wanted for match in named):
                found.add(folder)
    return sorted(found, key=lambda folder: (-len(folder.parts), folder))


def members(folders: Iterable[Path]) -> set[int]:
    """Return the processes in these cgroups."""
    found: set[int] = set()
    for folder in folders:
        try:
            found.update(int(word) for word in (folder / "cgroup.procs").read_text().split())
        except OSError:
            continue
    return found


def remove(layout: Layout, ids: Iterable[str], base: Path = BASE) -> int:
    """Remove the cluster's cgroups, whose processes have ended.

    Args:
        layout: the cluster.
        ids: its allocations.
        base: where the hierarchies are mounted.

    Returns:
        How many were removed.
    """
    count = sum(_removed(folder, _TRIES) for folder in of_cluster(layout, ids, base))
    if not _nomad_runs():
        # The parents that every Nomad here shares, and that the last one leaves behind.
        for shared in (base / _SHARED, *base.glob(f"*/{_SHARED}")):
            inner = sorted(_folders(shared), key=lambda folder: -len(folder.parts))
            count += sum(_removed(folder, 1) for folder in (*inner, shared) if folder.is_dir())
    return count


def _removed(folder: Path, tries: int) -> bool:
    for attempt in range(tries):
        if attempt:
            # The kernel takes a moment to forget the last process.
            time.sleep(0.05)
        try:
            folder.rmdir()
        except FileNotFoundError:
            return False
        except OSError:
            continue
        return True
    return False


def _folders(top: Path) -> list[Path]:
    """Return the folders inside; other Nomads' come and go meanwhile, which os.walk bears."""
    return [Path(where, name) for where, names, _ in os.walk(top) for name in names]


def _nomad_runs() -> bool:
    """Tell whether any Nomad, ours or another, runs on this machine and may need the parents."""
    for pid in proc.pids():
        program = proc.command_line(pid).split(" ")[0]
        if program.rsplit("/", 1)[-1] == "nomad":
            return True
    return False
