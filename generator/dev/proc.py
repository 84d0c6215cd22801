"""What /proc tells about processes, listening ports and mounts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

_LISTEN = "0A"


@dataclass(frozen=True)
class Process:
    """A process as it is now.

    Attributes:
        pid: its number, which the kernel gives again after its end.
        parent: its parent's number.
        started: when it started, in clock ticks since boot; with the pid it names one process.
        zombie: it has ended and nobody has asked for its exit status yet.
        terminal: it has a controlling terminal, so a person sits before it.
    """

    pid: int
    parent: int
    started: int
    zombie: bool
    terminal: bool


def parse_stat(text: str) -> Process:
    """Read /proc/PID/stat; the command's name in it may hold spaces and brackets.

    Args:
        text: the file's one line.
    """
    pid, rest = text.split(" ", 1)
    fields = rest[rest.rindex(")") + 2 :].split()
    return Process(
        pid=int(pid),
        parent=int(fields[1]),
        started=int(fields[19]),
        zombie=fields[0] in "ZX",
        terminal=fields[4] != "0",
    )


def process(pid: int, proc: Path = PROC) -> Process | None:
    """Return the process `pid`, or None where there is none (a zombie is returned as one)."""
    try:
        # A name that the kernel cut in the middle of a character is no UTF-8.
        return parse_stat((proc / str(pid) / "stat").read_text(errors="replace"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def pids(proc: Path = PROC) -> list[int]:
    """Return every process's number."""
    return sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())


def environ_value(pid: int, name: str, proc: Path = PROC) -> str | None:
    """Return a variable of the environment that a process was started with."""
    try:
        content = (proc / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    prefix = f"{name}=".encode()
    for entry in content.split(b"\0"):
        if entry.startswith(prefix):
            return entry[len(prefix) :].decode(errors="replace")
    return None


def working_directory(pid: int, proc: Path = PROC) -> str | None:
    """Return a process's current folder, also where it was deleted meanwhile."""
    try:
        return str((proc / str(pid) / "cwd").readlink()).removesuffix(" (deleted)")
    except OSError:
        return None


def command_line(pid: int, proc: Path = PROC) -> str:
    """Return a process's command and arguments, or its name where it has none."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
        text = " ".join(word.decode(errors="replace") for word in words).strip()
        return text or (proc / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        return "?"


def boot_id(proc: Path = PROC) -> str:
    """Return what names this boot of the machine: pids mean nothing after the next."""
    return (proc / "sys/kernel/random/boot_id").read_text().strip()


def uptime_s(proc: Path = PROC) -> float:
    """Return the seconds since boot."""
    return float((proc / "uptime").read_text().split()[0])


def parse_listeners(text: str) -> dict[int, str]:
    """Return the inode of each listening socket by its port, from /proc/net/tcp or tcp6."""
    found: dict[int, str] = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            found[int(fields[1].rsplit(":", 1)[1], 16)] = fields[9]
    return found


def listeners(proc: Path = PROC) -> dict[int, str]:
    """Return the inode of each listening TCP socket by its port."""
    found: dict[int, str] = {}
    for name in ("tcp6", "tcp"):
        try:
            found.update(parse_listeners((proc / "net" / name).read_text()))
        except FileNotFoundError:
            continue
    return found


def socket_owners(inodes: set[str], proc: Path = PROC) -> dict[str, int]:
    """Return which process holds each socket, as far as this user may look."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    owners: dict[str, int] = {}
    for pid in pids(proc):
        for target in _open_files(pid, proc):
            if target in wanted:
                owners.setdefault(wanted[target], pid)
    return owners


def _open_files(pid: int, proc: Path) -> Iterator[str]:
    try:
        for entry in (proc / str(pid) / "fd").iterdir():
            try:
                yield str(entry.readlink())
            except OSError:
                continue
    except OSError:
        return


def parse_mounts(text: str) -> list[Path]:
    """Return every mount point in /proc/self/mountinfo, in the order they were mounted."""
    points = (line.split()[4] for line in text.splitlines() if line.strip())
    return [Path(re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), point)) for point in points]


def mounts(proc: Path = PROC) -> list[Path]:
    """Return every mount point of this machine."""
    return parse_mounts(os.fsdecode((proc / "self/mountinfo").read_bytes()))
