"""Find and remove what a cluster leaves: processes, mounts, allocation folders, cgroups.

A crash leaves things that nobody remembers: executors and tasks of a Nomad that was killed, the
workers of an nginx, tmpfs mounts. They are known by what the kernel says about them, never by
their name, so that another cluster's servers, or the user's own nginx, are never touched.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from generator.dev import cgroups, proc, process
from generator.dev.layout import MARKER, Layout

# The cluster's processes work in these of its folders.
_WORKED_IN = ("alloc", "mounts", "data")


@dataclass(frozen=True)
class Trace:
    """What tells whose process it is.

    Attributes:
        pid: the process.
        marker: the cluster that its environment names, or None.
        cwd: its current folder, or None.
        terminal: whether a person sits before it.
        in_cgroup: whether it is in the cluster's cgroup.
    """

    pid: int
    marker: str | None
    cwd: str | None
    terminal: bool
    in_cgroup: bool


def belongs(trace: Trace, root: Path) -> bool:
    """Tell whether a process is the cluster's.

    nginx and PostgreSQL write over their environment, so the current folder counts too: a server's
    or an allocation's, but not that of somebody's shell who is looking around there.

    Args:
        trace: the process.
        root: the cluster's folder.
    """
    if trace.in_cgroup or trace.marker == str(root):
        return True
    if trace.marker is not None or trace.terminal or trace.cwd is None:
        return False
    return any(Path(trace.cwd).is_relative_to(root / name) for name in _WORKED_IN)


def processes(layout: Layout, *, inside: Path | None = None) -> list[process.Identity]:
    """Return the processes of a cluster, without this one and those that started it.

    Args:
        layout: the cluster.
        inside: only those whose current folder is in here.
    """
    members = cgroups.members(cgroups.of_cluster(layout, cgroups.allocation_ids(layout)))
    spared = _own_line()
    found = []
    for pid in proc.pids():
        seen = proc.process(pid)
        if seen is None or seen.zombie or pid in spared:
            continue
        cwd = proc.working_directory(pid)
        trace = Trace(
            pid, proc.environ_value(pid, MARKER), cwd, seen.terminal, in_cgroup=pid in members
        )
        if not belongs(trace, layout.root):
            continue
        if inside is not None and (cwd is None or not Path(cwd).is_relative_to(inside)):
            continue
        found.append(process.Identity(pid, seen.started, proc.boot_id()))
    return found


def end(layout: Layout, *, grace_s: float, inside: Path | None = None) -> list[process.Identity]:
    """End every process of a cluster, also those that appear meanwhile, and return them.

    Args:
        layout: the cluster.
        grace_s: how long they may take to end by themselves.
        inside: only those whose current folder is in here.
    """
    ended: dict[int, process.Identity] = {}
    deadline = time.monotonic() + grace_s + 10
    asked: set[process.Identity] = set()
    kill_at = time.monotonic() + grace_s
    while time.monotonic() < deadline:
        found = processes(layout, inside=inside)
        if not found:
            break
        for identity in found:
            ended[identity.pid] = identity
            if time.monotonic() >= kill_at:
                process.send(identity, signal.SIGKILL)
            elif identity not in asked:
                process.send(identity, signal.SIGTERM)
                process.send(identity, signal.SIGCONT)
                asked.add(identity)
        time.sleep(0.1)
    return list(ended.values())


def mounts(layout: Layout) -> list[Path]:
    """Return what Nomad mounted, the innermost first.

    The cluster's folder itself, or that of its data, may be a volume of the user's.
    """
    found = [point for point in proc.mounts() if mounted_by_nomad(point, layout.root)]
    return sorted(found, key=lambda point: len(point.parts), reverse=True)


def mounted_by_nomad(point: Path, root: Path) -> bool:
    """Tell whether a mount is of an allocation or of Nomad's own.

    Args:
        point: where it is mounted.
        root: the cluster's folder.
    """
    if not point.is_relative_to(root):
        return False
    parts = point.relative_to(root).parts
    if parts[:1] == ("data",):
        return len(parts) > 2 and parts[1].startswith("nomad-")
    return len(parts) > 2 and parts[0] in ("alloc", "mounts")


def unmount(layout: Layout) -> list[Path]:
    """Unmount what Nomad mounted, and return what it was."""
    done: list[Path] = []
    for point in mounts(layout):
        for options in ((), ("--lazy",)):
            if not subprocess.run(
                ["umount", *options, str(point)], capture_output=True, check=False
            ).returncode:
                done.append(point)
                break
    return done


def remove_allocations(layout: Layout) -> int:
    """Remove Nomad's allocation folders, and return how many there were.

    Nothing under a mount is touched: what could not be unmounted stays.
    """
    mounted = mounts(layout)
    count = 0
    for folder in (layout.root / "alloc", layout.root / "mounts"):
        for node in folder.glob("*"):
            for allocation in node.iterdir():
                if any(point.is_relative_to(allocation) for point in mounted):
                    continue
                shutil.rmtree(allocation, ignore_errors=True)
                count += folder.name == "alloc"
    return count


def _own_line() -> set[int]:
    line: set[int] = set()
    pid = os.getpid()
    while pid and pid not in line:
        line.add(pid)
        found = proc.process(pid)
        pid = found.parent if found else 0
    return line
