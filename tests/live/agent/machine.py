"""A machine with a real systemd: Debian in a container that boots."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from generator.dev.settings import read
from tests.cluster import eventually

SUITE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3")
# Of a node that has the primary and makes its backups.
DATABASE = ("postgresql-15", "pgbackrest")
UNIT = "flowrex-agent"
_BOOT_S = 120


@dataclass(frozen=True)
class Machine:
    """A booted machine.

    Attributes:
        root: its file system, as this machine sees it.
        init: the process that is its systemd.
    """

    root: Path
    init: int

    def run(self, *command: str, expect: int | None = 0) -> str:
        """Run a command on it, insist on its exit status, and return what it said."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
        if expect is not None:
            assert done.returncode == expect, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file on it."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def unit(self, name: str) -> str:
        """Return a property of the agent's unit."""
        return self.run("systemctl", "show", "-P", name, UNIT).strip()

    def journal(self) -> str:
        """Return the agent's log since the boot, or since it was last emptied."""
        return self.run("journalctl", "-u", UNIT, "-o", "cat", "--no-pager")

    def until(self, name: str, value: str, *, within: float = 60) -> None:
        """Wait until a property of the unit has a value."""
        eventually(
            lambda: self.unit(name) == value, within=within, every=0.2, what=f"{name}={value}"
        )


def debian(more: Sequence[str] = ()) -> Path:
    """Return a Debian that boots, made once and kept in the project's cache.

    Args:
        more: packages that it has besides; a system that has them is kept for itself.
    """
    cache = read(os.environ).cache
    folder = cache / f"machine-{SUITE}-{'-'.join((*PACKAGES, *more))}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    fresh = cache / f".machine-{os.getpid()}"
    try:
        if more:
            _copy(debian(), fresh)
            _install(fresh, more)
        else:
            wanted = f"--include={','.join(PACKAGES)}"
            _demand("debootstrap", "--variant=minbase", wanted, SUITE, str(fresh))
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _install(root: Path, packages: Sequence[str]) -> None:
    """Install packages into a system that does not run; nothing is started, no database made."""
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    settings = root / "etc/postgresql-common/createcluster.d/tests.conf"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("create_main_cluster = false\n")
    # By this machine's names and proxies; the mirror is the one that debootstrap has written down.
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    apt = ("chroot", str(root), "apt-get", "-q", "-y")
    _demand(*apt, "update")
    _demand(*apt, "install", "--no-install-recommends", *packages)
    _demand(*apt, "clean")
    shutil.rmtree(root / "var/lib/apt/lists")
    policy.unlink()


def _demand(*command: str) -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=1800, check=False, env=environ
    )
    said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{said}"


def _copy(system: Path, target: Path) -> None:
    # Hundreds of small files, a few seconds; an overlay is not allowed everywhere.
    subprocess.run(["cp", "-a", "--reflink=auto", system, target], check=True)


@contextmanager
def booted(
    folder: Path,
    *,
    more: Sequence[str] = (),
    name: str = "node-1",
    binds: Mapping[Path, str] | None = None,
) -> Iterator[Machine]:
    """Boot a machine of this test run's own, and leave nothing of it.

    Args:
        folder: an empty folder for it.
        more: packages that it has besides the usual ones.
        name: its host name.
        binds: folders of this machine that it sees, read only, by where. One that has any shares
            this machine's network, too; others have none.
    """
    root = folder / "root"
    _copy(debian(more), root)
    command = ["systemd-nspawn", "-D", str(root), "--boot", "--register=no", "--keep-unit"]
    command += ["--quiet", "--console=pipe", f"--hostname={name}"]
    command += [f"--bind-ro={here}:{there}" for here, there in (binds or {}).items()]
    command += [] if binds else ["--private-network"]
    with (folder / "console").open("w") as console:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=console
        )
    try:
        machine = Machine(root, _init(process))
        eventually(
            lambda: (
                machine.run("systemctl", "is-system-running", expect=None).strip()
                in {"running", "degraded"}
            ),
            within=_BOOT_S,
            every=0.5,
            what="the machine's boot",
        )
        yield machine
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(root, ignore_errors=True)


def _init(process: subprocess.Popen[bytes]) -> int:
    """Return the first process of the container, a child of systemd-nspawn."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + _BOOT_S
    while time.monotonic() < end:
        assert process.poll() is None, "systemd-nspawn ended"
        # The first child may be a helper; the container's is the one whose own number is 1.
        for pid in children.read_text().split():
            status = Path(f"/proc/{pid}/status").read_text()
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:"))
            if numbers.split()[-1] == "1":
                return int(pid)
        time.sleep(0.1)
    raise AssertionError("systemd-nspawn started nothing")
