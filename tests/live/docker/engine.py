"""podman as a service that answers Docker's API, with all that it keeps in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.dev.settings import read
from tests.cluster import eventually, heed_interruptions

SUITE = "bookworm"
BASE = "localhost/flowrex-base:1"
# By hand, because these differ from place to place: runc works on every kind of cgroups, and a
# container may have no more files and processes than the user that starts it.
_CONTAINERS = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{folder}/libpod"

[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
"""
_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""
_REGISTRIES = """\
[[registry]]
location = "127.0.0.1"
insecure = true
"""


@dataclass(frozen=True)
class Engine:
    """Where it is.

    Attributes:
        folder: everything that it keeps.
    """

    folder: Path

    @property
    def socket(self) -> str:
        """Where it answers."""
        return f"unix://{self.folder}/podman.sock"

    @property
    def variables(self) -> dict[str, str]:
        """What makes a podman use this folder, and the machine's own nowhere."""
        return {
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.folder / "registries.conf"),
            "TMPDIR": str(self.folder / "tmp"),
            # Its health checks want a systemd; they are asked for by hand.
            "DISABLE_HC_SYSTEMD": "true",
        }

    def podman(self, *arguments: str, expect: int = 0) -> str:
        """Run podman and return what it said."""
        done = subprocess.run(
            ["podman", *arguments],
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stderr}"
        return done.stdout.strip()

    def names(self, task: str = "") -> list[str]:
        """Return the names of the containers that run, or of one task's."""
        names = self.podman("ps", "--format", "{{.Names}}").split()
        return [name for name in names if name.startswith(f"{task}-" if task else "")]

    def containers(self, task: str = "") -> list[dict[str, Any]]:
        """Return what podman tells of them; none may end meanwhile."""
        wanted = self.names(task)
        found: list[dict[str, Any]] = json.loads(self.podman("inspect", *wanted)) if wanted else []
        return found


def base() -> Path:
    """Return Debian's smallest system as an archive, made once and kept in the project's cache."""
    cache = read(os.environ).cache
    archive = cache / f"base-{SUITE}.tar"
    if archive.is_file():
        return archive
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".base-", dir=cache) as name:
        root = Path(name, "root")
        _demand("debootstrap", "--variant=minbase", SUITE, str(root))
        for kept in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / kept)
            (root / kept).mkdir()
        fresh = Path(name, "base.tar")
        _demand("tar", "-C", str(root), "-cf", str(fresh), ".")
        fresh.rename(archive)
    return archive


@contextmanager
def running() -> Iterator[Engine]:
    """Run the service, with the base image in it, and leave nothing of it."""
    folder = Path(tempfile.mkdtemp(prefix="flowrex-podman-"))
    # The containers' users walk through it.
    folder.chmod(0o711)
    engine = Engine(folder)
    for name in ("tmp", "libpod"):
        (folder / name).mkdir()
    texts = {"containers": _CONTAINERS, "storage": _STORAGE, "registries": _REGISTRIES}
    for name, text in texts.items():
        (folder / f"{name}.conf").write_text(text.format(folder=folder))
    try:
        with (folder / "log").open("w") as log:
            service = subprocess.Popen(
                ["podman", "system", "service", "--time=0", engine.socket],
                env={**os.environ, **engine.variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=heed_interruptions,
            )
        try:
            eventually((folder / "podman.sock").exists, what="podman's socket")
            engine.podman("import", "--quiet", str(base()), BASE)
            yield engine
        finally:
            service.terminate()
            service.wait(timeout=30)
            engine.podman("rm", "--all", "--force", "--time", "0")
    finally:
        for mount in mounts(folder):
            subprocess.run(["umount", mount], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def mounts(folder: Path) -> list[str]:
    """Return what is mounted below a folder, the innermost first."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return sorted((one for one in points if one.startswith(f"{folder}/")), reverse=True)


def processes(folder: Path) -> list[str]:
    """Return the commands of the processes that have to do with a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended
        if str(folder) in command:
            found.append(command)
    return found


def _demand(*command: str) -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
