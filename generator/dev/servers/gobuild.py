"""Building a server from its source, as servers/NAME/go.mod and go.sum pin it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from flowrex.errors import ConfigurationError
from generator.dev.servers.catalog import Server
from generator.dev.servers.progress import Progress, duration, estimate
from generator.dev.servers.toolchain import Go, environment

_LAST_LINES = 12
_END_WITHIN_S = 5


def build(
    server: Server,
    go: Go,
    *,
    modules: Path,
    folder: Path,
    log: Path,
    environ: Mapping[str, str],
    progress: Progress,
    clock: Callable[[], float] = time.monotonic,
) -> Path:
    """Build one server into `folder` and return the binary.

    Nothing is written beside the module: go.mod and go.sum are read-only to the build, and its
    temporary files are in `folder`. Go checks every module it fetches against go.sum.

    Args:
        server: what is built.
        go: with what.
        modules: the folder that has the server's module.
        folder: where the result and the temporary files go; the caller removes it.
        log: where Go's messages go.
        environ: the process's environment.
        progress: is told the time about once a second.
        clock: a count of seconds.

    Raises:
        ConfigurationError: Go fails; its last words are in the message.
    """
    binary = folder / server.name
    temporary = folder / "tmp"
    temporary.mkdir()
    child_environ = {**environment(go, environ), "GOTMPDIR": str(temporary)}
    if "HOME" not in environ:
        # Go refuses to run where it can't tell its caches' place.
        child_environ.setdefault("GOCACHE", str(log.parent.parent / "go-build"))
        child_environ.setdefault("GOPATH", str(log.parent.parent / "go"))
    began = clock()
    with log.open("wb") as output:
        child = subprocess.Popen(
            [*_modest(environ), *command(server, go, binary)],
            cwd=modules / server.module,
            env=child_environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while True:
                progress.step(
                    f"building, {duration(clock() - began)}"
                    f" (the first time {estimate(server.build_seconds)})"
                )
                try:
                    status = child.wait(timeout=1)
                    break
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            _end(child)
            raise
    if status != 0:
        raise ConfigurationError(
            f"Go could not build {server} (exit status {status}):\n{_last_words(log)}",
            hint=f"The whole log is {log}. Name a ready binary with {server.setting}, or see"
            " docs/servers.md.",
        )
    return binary


def command(server: Server, go: Go, binary: Path) -> list[str]:
    """Return the command that builds `server` to `binary`."""
    tags = [f"-tags={','.join(server.tags)}"] if server.tags else []
    return [
        str(go.command), "build", "-mod=readonly", "-trimpath", "-buildvcs=false",
        "-ldflags=-s -w", *tags, "-o", str(binary), server.package,
    ]  # fmt: skip


def _modest(environ: Mapping[str, str]) -> list[str]:
    """Return a prefix that makes the build yield to other work, and end with this process."""
    path = environ.get("PATH", "")
    nice, setpriv = shutil.which("nice", path=path), shutil.which("setpriv", path=path)
    prefix = [nice, "-n", "10"] if nice else []
    return [*prefix, setpriv, "--pdeathsig", "TERM"] if setpriv else prefix


def _end(child: subprocess.Popen[bytes]) -> None:
    """Stop Go and the compilers that it started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, how)
        except ProcessLookupError:
            break
        try:
            child.wait(timeout=_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            continue
    child.wait()


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    telling = [line for line in lines if not line.startswith("go: downloading ")]
    return "\n".join(telling[-_LAST_LINES:]) or "it says nothing"
