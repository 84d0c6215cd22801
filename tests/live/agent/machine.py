"""A machine with a real systemd: Debian in a container that boots."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from generator.dev.settings import read
from tests.cluster import eventually

SUITE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3")
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


def debian() -> Path:
    """Return a Debian that boots, made once and kept in the project's cache."""
    cache = read(os.environ).cache
    folder = cache / f"machine-{SUITE}-{'-'.join(PACKAGES)}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    fresh = cache / f".machine-{os.getpid()}"
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE]
    try:
        done = subprocess.run(
            [*command, str(fresh)], capture_output=True, text=True, timeout=1800, check=False
        )
        assert done.returncode == 0, f"debootstrap failed:\n{done.stdout[-2000:]}{done.stderr}"
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """Boot a machine of this test run's own, without a network, and leave nothing of it.

    Args:
        folder: an empty folder for it.
    """
    root = folder / "root"
    # A copy: hundreds of small files, a few seconds; an overlay is not allowed everywhere.
    subprocess.run(["cp", "-a", "--reflink=auto", debian(), root], check=True)
    command = ["systemd-nspawn", "-D", str(root), "--boot", "--register=no", "--keep-unit"]
    command += ["--private-network", "--quiet", "--console=pipe", "--hostname=node-1"]
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
