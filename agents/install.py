"""Putting the agent on a node: unit, user, folders and a configuration to begin with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flowrex.errors import ConfigurationError, FlowrexError
from flowrex.files import write_atomic

UNIT = "flowrex-agent.service"
PROGRAM = "/opt/flowrex-agent/bin/flowrex-agent"
_HERE = Path(__file__).resolve().parent / "systemd"

Run = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class File:
    """One file of an installation.

    Attributes:
        source: its name beside the unit.
        path: where it goes, below the root.
        ours: whether it is replaced; one that is the administrator's is made once.
    """

    source: str
    path: str
    ours: bool


FILES = (
    File(UNIT, f"usr/lib/systemd/system/{UNIT}", ours=True),
    File("sysusers.conf", "usr/lib/sysusers.d/flowrex-agent.conf", ours=True),
    File("tmpfiles.conf", "usr/lib/tmpfiles.d/flowrex-agent.conf", ours=True),
    File("agent.yaml", "etc/flowrex/agent.yaml", ours=False),
)


@dataclass(frozen=True)
class Placed:
    """What became of a file."""

    path: str
    action: Literal["written", "unchanged", "kept"]


def install(root: Path, *, program: str = PROGRAM, run: Run | None = None) -> list[Placed]:
    """Write the files, and tell systemd where it runs on this very root.

    Args:
        root: `/`, or the root of a system that is being made.
        program: the agent's program as that system sees it.
        run: runs a command; none is run where `root` is another system's.

    Returns:
        What became of each file. A configuration that is there is kept, whatever it says.

    Raises:
        ConfigurationError: a file can't be written, or a command of systemd's fails.
    """
    placed = [_place(root, file, program) for file in FILES]
    if root == Path("/"):
        run = run or _run
        run(["systemd-sysusers", "flowrex-agent.conf"])
        run(["systemd-tmpfiles", "--create", "flowrex-agent.conf"])
        if Path("/run/systemd/system").is_dir():
            run(["systemctl", "daemon-reload"])
    else:
        _folder(root / "etc/flowrex/credentials", 0o700)
    return placed


def content(file: File, program: str = PROGRAM) -> str:
    """Return what a file says on a node where the agent's program is `program`."""
    text = (_HERE / file.source).read_text(encoding="utf-8")
    home = str(Path(program).parent.parent)
    usual = str(Path(PROGRAM).parent.parent)
    return text.replace(PROGRAM, program).replace(usual, home)


def _place(root: Path, file: File, program: str) -> Placed:
    path = root / file.path
    text = content(file, program)
    try:
        there = path.read_text(encoding="utf-8") if path.exists() else None
        if there == text:
            return Placed(f"/{file.path}", "unchanged")
        if there is not None and not file.ours:
            return Placed(f"/{file.path}", "kept")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "what is there is not UTF-8"
        raise ConfigurationError(
            f"can't be written: {reason}", path=path, hint="Installing is root's: use sudo."
        ) from error
    return Placed(f"/{file.path}", "written")


def _folder(path: Path, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, check=False)
    except OSError as error:
        raise ConfigurationError(
            f"{command[0]} can't be run: {error.strerror}", hint="The agent needs systemd."
        ) from error
    if done.returncode != 0:
        raise FlowrexError(
            f"{' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}",
            hint="Put that right, then install again; it is harmless to repeat.",
        )
