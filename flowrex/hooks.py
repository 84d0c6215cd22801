"""Somebody's own programs, run when something happens.

Each is an executable in one folder, run in the order of the names, one at a time, in a session of
its own. It gets what happened as JSON on standard input and as environment variables, which are all
that it has. Nobody but root or the user that runs it may be able to change it or its folder.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import stat
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from flowrex.errors import ConfigurationError

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LEFT_OVER = (".bak", ".orig", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".rpmsave", ".rpmnew")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TERM_S = 3.0


@dataclass(frozen=True)
class Result:
    """How a hook ended.

    Attributes:
        ok: whether it ended with 0 in time.
        sentence: how, for status and log.
        output: the beginning of what it said, standard error included.
        status: its exit status, or minus the signal that ended it; None where it was not run or
            was killed for its time.
    """

    ok: bool
    sentence: str
    output: str = ""
    status: int | None = None


def names(folder: Path) -> list[str]:
    """Return the names of the files that are meant as hooks, in their order.

    One that can't be looked at has none, which is logged: for those whom no hook may hold up.
    """
    try:
        return listed(folder)
    except ConfigurationError as error:
        _log.warning("hooks can't be looked at", extra={"reason": error.message})
        return []


def listed(folder: Path) -> list[str]:
    """Return the names of the files that are meant as hooks, in their order.

    Editors' and packages' leftovers are none. A folder that is not there has none.

    Args:
        folder: the hooks' folder.

    Raises:
        ConfigurationError: it is no folder, or can't be read: nobody knows which hooks it has.
    """
    try:
        found = [path.name for path in folder.iterdir()]
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not folder.is_symlink():
            return []
        raise ConfigurationError(
            f"its hooks can't be looked at: {error.strerror}",
            path=folder,
            hint="It must be a folder that this user can read; without hooks, take it away.",
        ) from error
    return sorted(n for n in found if _NAME.fullmatch(n) and not n.endswith(_LEFT_OVER))


def objection(path: Path, uid: int) -> str:
    """Return why a hook is not run; empty where it may be.

    Args:
        path: the hook.
        uid: the user that would run it.
    """
    for one in (path.parent, path):
        try:
            # The link's target counts, and where it stands.
            status = one.resolve(strict=True).stat()
        except OSError as error:
            return f"{one} can't be looked at: {error.strerror}"
        if status.st_uid not in (0, uid):
            return f"{one} belongs to user {status.st_uid}, not to root or user {uid}"
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"{one} can be written by others (mode {stat.S_IMODE(status.st_mode):04o})"
    if path.resolve().parent != path.parent.resolve():
        return f"{path} leads out of its folder, to {path.resolve()}"
    if not stat.S_ISREG(status.st_mode):
        return f"{path} is no file"
    if not os.access(path, os.X_OK):
        return f"{path} is not executable"
    return ""


def environ(named: Mapping[str, str]) -> dict[str, str]:
    """Return a hook's whole environment.

    Args:
        named: what it is told; no variable can hold a zero byte, which is left out.
    """
    said = {name: text.replace("\0", "") for name, text in named.items()}
    return {"PATH": PATH, "LANG": "C.UTF-8"} | said


def run(
    path: Path,
    document: Mapping[str, object],
    environment: Mapping[str, str],
    *,
    timeout_s: float,
    keep: int,
    cwd: Path = Path("/"),
    uid: int | None = None,
) -> Result:
    """Run one hook to its end, or to its timeout.

    Args:
        path: the hook.
        document: what it reads on standard input.
        environment: its whole environment; see `environ`.
        timeout_s: seconds after which it and what it has started are killed.
        keep: bytes of its output to return; the rest is read and counted.
        cwd: where it runs.
        uid: who runs it; this process's user unless given.
    """
    if why := objection(path, os.getuid() if uid is None else uid):
        return Result(False, f"not run: {why}")
    try:
        process = subprocess.Popen(
            [str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(environment),
            start_new_session=True,
        )
    except OSError as error:
        return Result(False, f"could not be started: {error.strerror}")
    assert process.stdin is not None
    assert process.stdout is not None
    said = _Output(process.stdout, keep)
    feeding = threading.Thread(target=_feed, args=(process.stdin, document), daemon=True)
    feeding.start()
    try:
        status: int | None = process.wait(timeout_s)
        assert status is not None
        sentence = f"ended with {status}" if status >= 0 else f"was killed by signal {-status}"
    except subprocess.TimeoutExpired:
        status = None
        sentence = f"was killed after {timeout_s:.0f} s"
        _end(process)
    # What it has left behind would hold the pipe open, and outlive the agent's view.
    _signal(process.pid, signal.SIGKILL)
    return Result(status == 0, sentence, said.text(), status)


class _Output:
    """What a hook says: its beginning is kept, all of it is read."""

    def __init__(self, stream: IO[bytes], keep: int) -> None:
        self._stream, self._keep = stream, keep
        self._kept = bytearray()
        self._all = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while piece := self._stream.read1(65536):  # type: ignore[attr-defined]
            self._all += len(piece)
            self._kept += piece[: max(0, self._keep - len(self._kept))]

    def text(self) -> str:
        self._thread.join(_TERM_S)
        text = bytes(self._kept).decode(errors="replace")
        left = self._all - len(self._kept)
        return f"{text}\n({left} bytes more)" if left > 0 else text


def _feed(stream: IO[bytes], document: Mapping[str, object]) -> None:
    with suppress(OSError):  # it need not read what it is given
        stream.write(json.dumps(document).encode() + b"\n")
        stream.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    _signal(process.pid, signal.SIGTERM)
    try:
        process.wait(_TERM_S)
    except subprocess.TimeoutExpired:
        _signal(process.pid, signal.SIGKILL)
        process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # it is gone
        os.killpg(group, number)
