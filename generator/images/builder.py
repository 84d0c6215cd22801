"""docker or podman, run as a program; what went wrong becomes one of Flowrex' errors."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowrex.errors import (
    ConfigurationError,
    FlowrexError,
    PermissionRefused,
    ServerUnreachable,
)
from generator.images.recipe import PROGRAMS, Program

_LAST_LINES = 8
_END_WITHIN_S = 10
_UNREACHABLE = (
    "cannot connect to the docker daemon",
    "is the docker daemon running",
    "connection refused",
    "no such host",
    "could not resolve",
    "temporary failure resolving",
    "temporary failure in name resolution",
    "i/o timeout",
    "tls handshake timeout",
    "pinging container registry",
    "error pinging",
)
_REFUSED = ("unauthorized", "authentication required", "access to the resource is denied")

# Runs a command in a folder, tells each line, and returns the exit status.
Run = Callable[[Sequence[str], Path, Callable[[str], None]], int]


@dataclass(frozen=True)
class Builder:
    """What builds images on this machine.

    Attributes:
        program: docker or podman.
        path: where it is.
        run: runs a command of it.
    """

    program: Program
    path: str
    run: Run

    def demand(self, command: Sequence[str], folder: Path, tell: Callable[[str], None]) -> str:
        """Run a command to its end and return all that it said.

        Args:
            command: the program and its arguments.
            folder: where it runs.
            tell: gets each line.

        Raises:
            ConfigurationError: it failed.
            ServerUnreachable: a registry, a package mirror or its daemon can't be reached.
            PermissionRefused: the registry wants a login.
        """
        said: list[str] = []

        def line(text: str) -> None:
            said.append(text)
            tell(text)

        status = self.run(command, folder, line)
        if status != 0:
            raise failure(self.program, command[1], status, said)
        return "\n".join(said)


def find(wanted: Program | None, environ: Mapping[str, str]) -> Builder:
    """Return the program that is asked for, or the one that is there.

    Args:
        wanted: docker or podman; the first that is there where it is None.
        environ: the process's environment.

    Raises:
        ConfigurationError: there is none.
    """
    for program in (wanted,) if wanted else PROGRAMS:
        if path := shutil.which(program, path=environ.get("PATH", "")):
            return Builder(program, path, _run)
    names = wanted or " or ".join(PROGRAMS)
    raise ConfigurationError(
        f"there is no {names} on PATH, which images are built with",
        hint="Install one (Debian: apt-get install podman), or name the other with --builder.",
    )


def failure(program: Program, verb: str, status: int, said: Sequence[str]) -> FlowrexError:
    """Return the error that a failed command means.

    Args:
        program: docker or podman.
        verb: what it was to do, `build` or `push`.
        status: its exit status.
        said: all its lines.
    """
    last = [text for text in said if text.strip()][-_LAST_LINES:]
    text = f"{program} {verb} failed (exit status {status}):\n" + "\n".join(last or ["no word"])
    low = "\n".join(last).lower()
    if any(word in low for word in _REFUSED):
        return PermissionRefused(text, hint=f"`{program} login REGISTRY` gives it a login.")
    if any(word in low for word in _UNREACHABLE):
        return ServerUnreachable(
            text,
            hint="--base names another base image, and --builder-option tells the builder more; "
            "see docs/images.md.",
        )
    return ConfigurationError(text, hint="docs/images.md tells what the images are made from.")


def _run(command: Sequence[str], folder: Path, tell: Callable[[str], None]) -> int:
    # BuildKit is what understands the Dockerfiles' mounts; docker asks for it in its environment.
    environ = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
    with _started(command, folder, environ) as child:
        assert child.stdout is not None
        for text in child.stdout:
            tell(text.rstrip("\n"))
        return child.wait()


@contextmanager
def _started(
    command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        list(command),
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout=_END_WITHIN_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child.stdout is not None:
            child.stdout.close()
