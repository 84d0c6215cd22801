"""The same templates by Nomad's driver `exec`: nobody, in a chroot, with files for it alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster, eventually
from tests.live.test_rollout import marked

# Of the system, which the nodes' chroot has; the interpreter below `.venv` it has not.
PYTHON = "/usr/bin/python3.11"
ON = ("--set", "platform.driver=exec", "--set", f"platform.python={PYTHON}")
JOBS = ("migrate", "backend", "worker", "nginx")
NOBODY = 65534
_CAP_SYS_ADMIN, _CAP_NET_RAW = 21, 13


@pytest.fixture(scope="module", autouse=True)
def released(cluster: Cluster) -> Iterator[None]:
    cluster.run("run", "dev", *JOBS, "--yes", "--promote", *ON)
    yield
    cluster.run("run", "dev", "--yes", "--promote")


def folders(cluster: Cluster, job: str) -> list[Path]:
    """Return the folders of a job's allocations that run."""
    return [
        folder
        for one in cluster.allocations(job)
        for folder in (cluster.state / "alloc").glob(f"*/{one['ID']}")
    ]


def processes(cluster: Cluster, job: str) -> list[Path]:
    """Return the entries in /proc of what runs in a job's chroots, Nomad's executor left out."""
    ids = [one["ID"] for one in cluster.allocations(job)]
    found = []
    outside = Path("/proc/self/ns/mnt").readlink()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            groups = (entry / "cgroup").read_text()
            inside = (entry / "ns" / "mnt").readlink() != outside
        except OSError:
            continue
        if inside and any(one in groups for one in ids):
            found.append(entry)
    return found


def status(entry: Path) -> dict[str, str]:
    lines = (entry / "status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_the_platform_answers(cluster: Cluster) -> None:
    drivers = {
        task["Driver"]
        for job in JOBS
        for group in cluster.nomad(f"job/{job}")["TaskGroups"]
        for task in group["Tasks"]
    }
    assert drivers == {"exec"}
    assert cluster.get("/health/ready")["status"] == "ready"
    assert cluster.get("/api/v1/instruments")


@pytest.mark.parametrize("job", ["backend", "worker", "nginx"])
def test_every_process_is_nobody_and_sees_its_own_chroot(cluster: Cluster, job: str) -> None:
    running = processes(cluster, job)
    assert running
    for entry in running:
        said = status(entry)
        assert set(said["Uid"].split()) == {str(NOBODY)}, said["Name"]
        assert int(said["CapEff"], 16) & (1 << _CAP_SYS_ADMIN | 1 << _CAP_NET_RAW) == 0
        assert len(said["NSpid"].split()) > 1, "it sees its own processes alone"
        root = {one.name for one in (entry / "root").iterdir()}
        assert {"alloc", "local", "secrets"} <= root
        assert not {"root", "home", "work"} & root


@pytest.mark.parametrize("job", ["backend", "worker"])
def test_what_is_secret_is_for_its_user_alone(cluster: Cluster, job: str) -> None:
    files = [
        one
        for folder in folders(cluster, job)
        for one in (folder / job / "secrets").iterdir()
        if one.name in {"consul", "database.json", "app.json"}
    ]
    assert {one.name for one in files} >= {"consul", "database.json"}
    for one in files:
        found = one.stat()
        assert (found.st_uid, found.st_mode & 0o777) == (NOBODY, 0o600), one.name


def test_no_login_and_no_key_is_in_an_environment(cluster: Cluster) -> None:
    secrets = {
        value
        for folder in folders(cluster, "backend")
        for name in ("database.json", "app.json")
        for key, value in json.loads((folder / "backend/secrets" / name).read_text()).items()
        if "username" not in key
    }
    running = processes(cluster, "backend")
    assert running
    assert len(secrets) > len(("the database's password", "Redis'"))
    for entry in running:
        environ = (entry / "environ").read_text(errors="replace")
        assert not [one for one in secrets if one in environ]


def test_a_canary_is_promoted_as_with_every_driver(cluster: Cluster) -> None:
    cluster.run("run", "dev", "backend", "--yes", *ON, *marked(850), expect=9)
    cluster.run("promote", "dev", "backend")
    eventually(
        lambda: {one["JobVersion"] for one in cluster.allocations("backend")}
        == {cluster.nomad("job/backend")["Version"]},
        what="the new version alone",
    )  # fmt: skip
    assert cluster.get("/health/ready")["status"] == "ready"
