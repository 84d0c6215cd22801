"""Start a server so that it outlives this command, know it again, and stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flowrex.errors import ConfigurationError
from generator.dev import proc

_LOG_LIMIT = 16 * 1024 * 1024
_POLL_S = 0.05


@dataclass(frozen=True)
class Identity:
    """What names one process for ever, where its pid alone may name another one later.

    Attributes:
        pid: the process's number.
        started: its start, in clock ticks since boot.
        boot_id: the boot that both are about.
    """

    pid: int
    started: int
    boot_id: str


@dataclass(frozen=True)
class Command:
    """How a server is started.

    Attributes:
        name: the server's name, also of its log.
        argv: the program and its arguments; no secret is among them.
        cwd: its folder, inside the cluster's.
        environ: what it gets beside the cluster's plain environment.
        user: the user it runs as; the caller's unless given.
    """

    name: str
    argv: Sequence[str]
    cwd: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None


def identify(pid: int) -> Identity | None:
    """Return the identity of a process that runs, or None."""
    found = proc.process(pid)
    if found is None or found.zombie:
        return None
    return Identity(pid, found.started, proc.boot_id())


def alive(identity: Identity) -> bool:
    """Tell whether that very process still runs: not a zombie, nor another with its pid."""
    return identify(identity.pid) == identity


def plain_environ(marker: tuple[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server.

    It is made from little, so that no setting of the caller's shell (a CA bundle, a proxy, a
    token) changes what a server does, or ends up in a task.

    Args:
        marker: the name and the value that tell whose process it is.
        extra: what this server needs beside.
    """
    keep = {name: os.environ[name] for name in ("HOME", "LANG", "TZ") if name in os.environ}
    path = os.environ.get("PATH", "")
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {**keep, "PATH": f"{path}:{system}" if path else system, marker[0]: marker[1], **extra}


def spawn(command: Command, *, log: Path, marker: tuple[str, str]) -> Identity:
    """Start a server in a session of its own, its output in `log`.

    Args:
        command: what to start.
        log: the file its output is added to; a big one is set aside first.
        marker: the variable that tells whose process it is.

    Raises:
        ConfigurationError: the program can't be started.
    """
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                list(command.argv),
                cwd=command.cwd,
                env=plain_environ(marker, command.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=command.user,
                group=command.user,
                extra_groups=[] if command.user else None,
            )
        except OSError as error:
            raise ConfigurationError(
                f"{command.name} can't be started: {error.strerror}: {command.argv[0]}",
                hint="`flowrexctl dev servers` shows which programs are used.",
            ) from error
    started = proc.process(child.pid)
    assert started is not None  # our child: it stays, if only as a zombie, until it is waited for
    return Identity(child.pid, started.started, proc.boot_id())


def send(identity: Identity, number: int) -> bool:
    """Send a signal to that very process; False where it has ended.

    Raises:
        ConfigurationError: it is another user's.
    """
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not alive(identity):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise ConfigurationError(
            f"pid {identity.pid} belongs to another user and can't be stopped",
            hint="Use the user that started the cluster (often root: try sudo).",
        ) from error
    finally:
        os.close(handle)
    return True


def wait_gone(identities: Sequence[Identity], timeout_s: float) -> list[Identity]:
    """Wait until processes have ended, and return those that have not in time."""
    deadline = time.monotonic() + timeout_s
    left = list(identities)
    while left := [identity for identity in left if alive(identity)]:
        if time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)
    return left


def stop(identity: Identity, *, first: int = signal.SIGTERM, grace_s: float = 10.0) -> bool:
    """End a process: ask, wait, and kill it where it does not listen.

    Args:
        identity: the process.
        first: the signal that asks.
        grace_s: how long it may take.

    Returns:
        Whether it ended by itself.
    """
    if not send(identity, first):
        return True
    # A stopped process (SIGSTOP) would not even see the request.
    send(identity, signal.SIGCONT)
    if not wait_gone([identity], grace_s):
        return True
    send(identity, signal.SIGKILL)
    wait_gone([identity], 5.0)
    return False
