"""Take the cluster down and leave nothing: no process, mount, allocation folder, cgroup or port."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
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
_FOLDERS = ("data", "alloc", "mounts", "config", "logs", "tokens", "secrets")
# Each tells that a folder is a cluster's; the first is written before anything else is.
_MARKS = ("cluster.json", "cluster.json.unreadable", "environment.yaml")


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
    """

    jobs: list[str] = field(default_factory=list)
    servers: list[str] = field(default_factory=list)
    processes: int = 0
    mounts: list[str] = field(default_factory=list)
    allocations: int = 0
    cgroups: int = 0

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
    if not _is_clusters(settings.root):
        return _without_record(settings)
    with state.locked(settings.root):
        return _down(_known(settings), tell)


def reset(settings: Settings, *, tell: Callable[[str], None]) -> Removed:
    """Take the cluster down and delete all of its data.

    Raises:
        LockHeld: another command changes the cluster.
        ServerUnreachable: something could not be removed.
        ConfigurationError: the folder holds something else.
    """
    if not _is_clusters(settings.root):
        _refuse_strangers(settings.root)
        return _without_record(settings)
    with state.locked(settings.root):
        removed = _down(_known(settings), tell)
        tell("deleting the data")
        for name in _FOLDERS:
            shutil.rmtree(settings.root / name, ignore_errors=True)
        for name in _MARKS:
            (settings.root / name).unlink(missing_ok=True)
    return removed


def _is_clusters(root: Path) -> bool:
    return any((root / name).exists() for name in _MARKS)


def _refuse_strangers(root: Path) -> None:
    if any((root / name).exists() for name in _FOLDERS):
        raise ConfigurationError(
            f"{root} is not the folder of a dev cluster: it has no {_MARKS[0]}",
            hint="Nothing was deleted. Look at FLOWREX_DEV_DIR.",
        )


def _without_record(settings: Settings) -> Removed:
    """End what may run of a cluster whose folder was deleted; touch nobody else's folder."""
    layout = Layout(settings.root, settings.base or DEFAULT_BASE, MAX_NODES)
    # An `up` may be at work there that has not got to its record yet.
    begun = (settings.root / "lock").exists()
    with state.locked(settings.root) if begun else nullcontext():
        return Removed(processes=len(leftovers.end(layout, grace_s=_GRACE_S)))


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
    _stop_jobs(record, removed, tell)
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
    _forget_nomad(record)
    for folder in (layout.root / "data").glob("consul-*"):
        consul.forget_services(folder)
    _verify(layout, ids)
    return removed


def _stop_jobs(record: state.ClusterState, removed: Removed, tell: Callable[[str], None]) -> None:
    """Let every job end in order, as far as Nomad is there to do it."""
    layout = record.layout
    entry = record.servers.get("nomad-1")
    if entry is None or not process.alive(entry.identity) or nomad.leader_problem(layout):
        return
    tell("stopping the jobs")
    try:
        _purge(layout, removed)
    except FlowrexError as error:
        # It goes the hard way then: the processes are found without Nomad.
        tell(f"Nomad does not stop its jobs: {error.message}")


def _purge(layout: Layout, removed: Removed) -> None:
    """Stop every job, wait for its tasks' end, then forget it.

    Not at once: Nomad shows no allocation of a job that it has forgotten, also where its tasks are
    still ending.
    """
    jobs = nomad.ask(layout, "/v1/jobs?namespace=*")
    for job in jobs:
        _delete(layout, job, "no_shutdown_delay=true")
    deadline = time.monotonic() + _JOBS_S
    while _running(nomad.ask(layout, "/v1/allocations?namespace=*")):
        if time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)
    for job in jobs:
        _delete(layout, job, "purge=true")
        removed.jobs.append(job["ID"])


def _delete(layout: Layout, job: dict[str, Any], how: str) -> None:
    where = f"namespace={quote(job['Namespace'])}"
    path = f"/v1/job/{quote(job['ID'], safe='')}?{how}&{where}"
    nomad.ask(layout, path, method="DELETE", timeout_s=10)


def _running(allocations: list[dict[str, Any]]) -> list[str]:
    return [entry["ID"] for entry in allocations if entry["ClientStatus"] not in _ENDED]


def _forget_nomad(record: state.ClusterState) -> None:
    """Remove Nomad's own record.

    Its jobs are purged and its allocations are gone, but it would remember its nodes as ready, and
    place allocations on one that does not come back. The next `up` makes its tokens again.
    """
    for folder in (record.layout.root / "data").glob("nomad-*"):
        shutil.rmtree(folder, ignore_errors=True)
    if record.layout.state_file.exists():
        record.set_configured(None)


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
