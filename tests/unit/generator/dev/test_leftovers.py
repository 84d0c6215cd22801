from pathlib import Path

import pytest

from generator.dev import leftovers
from generator.dev.layout import Layout
from generator.dev.leftovers import Trace, belongs

ROOT = Path("/state/dev")


def trace(
    marker: str | None = None,
    cwd: str | None = None,
    *,
    terminal: bool = False,
    in_cgroup: bool = False,
) -> Trace:
    return Trace(1, marker, cwd, terminal, in_cgroup)


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(trace("/state/dev", "/"), id="marked"),
        pytest.param(trace("/state/dev", "/home", terminal=True), id="marked, in a terminal"),
        pytest.param(trace(None, "/state/dev/alloc/1/x/nginx"), id="nginx, which has no environ"),
        pytest.param(trace(None, "/state/dev/data/postgres/pgdata"), id="a postgres worker"),
        pytest.param(trace(None, None, in_cgroup=True), id="in a task's cgroup"),
    ],
)
def test_what_is_the_clusters(one: Trace) -> None:
    assert belongs(one, ROOT)


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(trace(None, "/home/ann"), id="anybody's"),
        pytest.param(trace(None, None), id="a process that can't be looked at"),
        pytest.param(trace("/state/other", "/state/dev/alloc"), id="another cluster's"),
        pytest.param(trace("/state/dev2", "/"), id="a cluster whose name begins the same"),
        pytest.param(trace(None, "/state/dev2/alloc"), id="a folder whose name begins the same"),
        pytest.param(trace(None, "/state/dev/data", terminal=True), id="a shell looking around"),
        pytest.param(trace(None, "/state/dev"), id="a program that was started in the folder"),
        pytest.param(trace(None, "/state/dev/logs"), id="one that reads the logs"),
    ],
)
def test_what_is_not(one: Trace) -> None:
    assert not belongs(one, ROOT)


@pytest.mark.parametrize(
    ("point", "ours"),
    [
        ("/state/dev/alloc/1/an-id/web/secrets", True),
        ("/state/dev/mounts/1/an-id/web/secrets", True),
        ("/state/dev/data/nomad-1/client/csi", True),
        ("/state/dev", False),
        ("/state/dev/data", False),
        ("/state/dev/data/postgres", False),
        ("/state/dev/alloc", False),
        ("/state/dev2/alloc/1/an-id", False),
        ("/", False),
    ],
)
def test_only_nomads_mounts_are_taken_away(point: str, ours: bool) -> None:
    assert leftovers.mounted_by_nomad(Path(point), ROOT) is ours


def test_this_process_and_its_parents_are_spared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert leftovers.processes(Layout(tmp_path, 20000)) == []


def test_allocation_folders_are_removed_and_the_nodes_folders_stay(tmp_path: Path) -> None:
    (tmp_path / "alloc/1/an-id/web/secrets").mkdir(parents=True)
    (tmp_path / "mounts/1/an-id").mkdir(parents=True)
    assert leftovers.remove_allocations(Layout(tmp_path, 20000)) == 1
    assert list((tmp_path / "alloc").iterdir()) == [tmp_path / "alloc/1"]
    assert list((tmp_path / "alloc/1").iterdir()) == []
    assert list((tmp_path / "mounts/1").iterdir()) == []
