"""A real server of a test run's own: its program, free ports for it, and its sure end."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from generator.dev import servers, settings

_END_WITHIN_S = 20


def program(name: str) -> Path:
    """Return a server's program, made or fetched where it is not there yet."""
    return servers.ensure(
        [name],
        cache=settings.read(os.environ).cache,
        environ=os.environ,
        progress=servers.Lines(),
    )[name].path


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody has."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, *, environ: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server with its log in `folder/log`, and end it.

    Args:
        command: its program and arguments.
        folder: where it runs.
        environ: beside this process's environment.
    """
    # Nomad can't start with it, and nothing here leaves this machine.
    plain = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**plain, **(environ or {})}, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=_END_WITHIN_S)
        finally:
            process.kill()
            process.wait()
