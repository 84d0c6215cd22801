"""Take the cluster down and leave nothing: no process, mount, allocation folder, cgroup or port."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flowrex.errors import ConfigurationError, FlowrexError, ServerUnreachable
from generator.dev import cgroups, consul, fleet, leftovers, nomad, process, state
from generator.dev.layout import DEFAULT_BASE, MAX_NODES, Layout
from generator.dev.settings import Settings

_JOBS_S = 45.0
_GRACE_S = 10.0
_POLL_S = 0.2
_ENDED = ("complete", "failed", "lost")


@dataclass
class Removed:
    """What `down` found and removed.

    Attributes:
        jobs: the jobs that were stopped and purged.
        servers: the servers that were stopped.
        processes: how many processes were left beside them.
        mounts: what was unmounted.
        allocations: how many allocation folders were removed.
        cgroups: how many cgroups were removed.
        forgotten: whether Nomad's own record was removed, since its jobs could not be purged.
    """

    jobs: list[str] = field(default_factory=list)
    servers: list[str] = field(default_factory=list)
    processes: int = 0
    mounts: list[str] = field(default_factory=list)
    allocations: int = 0
    cgroups: int = 0
    forgotten: bool = False

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to do."""
        return self == Removed()


def down(settings: Settings, *, tell: Callable[[str], None]) -> Removed:
    """Take the cluster down; the data of PostgreSQL, Consul, Vault, Redis and S3 stays.

    Args:
        settings: where it lives.
        tell: is told what is happening.

    Raises:
        LockHeld: another command changes the cluster.
        ServerUnreachable: something could not be removed.
    """
    if not settings.root.exists():
        return Removed()
    with state.locked(settings.root):
        return _down(_known(settings), tell)


def reset(settings: Settings, *, tell: Callable[[str], None]) -> Removed:
    """Take the cluster down and delete all of its data.

    Raises:
        ConfigurationError: the folder does not look like a cluster's.
    """
    if not settings.root.exists():
        return Removed()
    with state.locked(settings.root):
        removed = _down(_known(settings), tell)
        tell("deleting the data")
        for name in ("data", "alloc", "mounts", "config", "logs", "tokens", "secrets"):
            shutil.rmtree(settings.root / name, ignore_errors=True)
        for name in ("cluster.json", "cluster.json.unreadable", "environment.yaml"):
            (settings.root / name).unlink(missing_ok=True)
    return removed


def _known(settings: Settings) -> state.ClusterState:
    """Return the cluster's record; without one, what may be there is looked for all the same."""
    try:
        known = state.load(settings.root)
    except ConfigurationError:
        path = settings.root / "cluster.json"
        path.replace(path.with_suffix(".json.unreadable"))
        known = None
    return known or state.ClusterState(
        Layout(settings.root, settings.base or DEFAULT_BASE, MAX_NODES)
    )


def _down(record: state.ClusterState, tell: Callable[[str], None]) -> Removed:
    layout = record.layout
    removed = Removed()
    ids = cgroups.allocation_ids(layout)
    purged = _purge_jobs(record, removed, tell)
    ids |= cgroups.allocation_ids(layout)
    for name in fleet.stop_order(list(record.servers)):
        entry = record.servers[name]
        if process.alive(entry.identity):
            tell(f"stopping {name}")
            process.stop(entry.identity, first=fleet.stop_signal(name), grace_s=_GRACE_S)
            removed.servers.append(name)
        record.stopped(name)
    tell("looking for what is left")
    removed.processes = len(leftovers.end(layout, grace_s=_GRACE_S))
    removed.mounts = [str(point) for point in leftovers.unmount(layout)]
    # Before the folders, whose names tell which cgroups are ours.
    removed.cgroups = cgroups.remove(layout, ids)
    removed.allocations = leftovers.remove_allocations(layout)
    if not purged:
        removed.forgotten = _forget_nomad(record)
    for node in layout.nodes:
        consul.forget_services(layout, node)
    _verify(layout, ids)
    return removed


def _purge_jobs(record: state.ClusterState, removed: Removed, tell: Callable[[str], None]) -> bool:
    """Stop and purge every job, and tell whether Nomad has nothing left to remember."""
    layout = record.layout
    entry = record.servers.get("nomad-1")
    if entry is None:
        # Stopped in order before, or never started: either way it has nothing to hide.
        return not _has_allocations(layout)
    if not process.alive(entry.identity) or nomad.leader_problem(layout) is not None:
        return False
    tell("stopping the jobs")
    try:
        return _purge(layout, removed)
    except FlowrexError:
        # It goes the hard way then: the processes are found without Nomad.
        return False


def _purge(layout: Layout, removed: Removed) -> bool:
    for job in nomad.ask(layout, "/v1/jobs?namespace=*"):
        where = f"namespace={quote(job['Namespace'])}"
        nomad.ask(
            layout,
            f"/v1/job/{quote(job['ID'], safe='')}?purge=true&no_shutdown_delay=true&{where}",
            method="DELETE",
            timeout_s=10,
        )
        removed.jobs.append(job["ID"])
    deadline = time.monotonic() + _JOBS_S
    while running := _running(nomad.ask(layout, "/v1/allocations?namespace=*")):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    assert not running
    # With the allocations collected, Nomad removes their folders and mounts itself.
    nomad.ask(layout, "/v1/system/gc", method="PUT", timeout_s=10)
    while _has_allocations(layout) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return not _has_allocations(layout)


def _running(allocations: list[dict[str, Any]]) -> list[str]:
    return [entry["ID"] for entry in allocations if entry["ClientStatus"] not in _ENDED]


def _has_allocations(layout: Layout) -> bool:
    return any(
        entry
        for node in layout.nodes
        if layout.allocations(node).is_dir()
        for entry in layout.allocations(node).iterdir()
    )


def _forget_nomad(record: state.ClusterState) -> bool:
    """Remove Nomad's record, which tells of allocations that are no more."""
    folders = [record.layout.data(nomad.name(node)) for node in record.layout.nodes]
    found = [folder for folder in folders if folder.is_dir()]
    for folder in found:
        shutil.rmtree(folder, ignore_errors=True)
    # Its keys and its policies went with it: the next `up` makes them again.
    if found and record.layout.state_file.exists():
        record.set_configured(None)
    return bool(found)


def _verify(layout: Layout, ids: set[str]) -> None:
    """Raise where something is left all the same."""
    left: list[str] = [f"process {one.pid}" for one in leftovers.processes(layout)]
    left += [f"mount {point}" for point in leftovers.mounts(layout)]
    left += [f"cgroup {folder}" for folder in cgroups.of_cluster(layout, ids)]
    left += [f"folder {path}" for path in _left_folders(layout)]
    if left:
        raise ServerUnreachable(
            f"the cluster is not wholly down: {', '.join(left[:5])}",
            hint="`flowrexctl dev down` again; it may need the user that started it.",
        )


def _left_folders(layout: Layout) -> list[Path]:
    return [
        entry
        for name in ("alloc", "mounts")
        for node in (layout.root / name).glob("*")
        for entry in node.iterdir()
    ]
