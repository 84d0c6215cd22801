"""Run pgBackRest and psql: the edge. A child never outlives the one who waits for it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from flowrex.errors import (
    ConfigurationError,
    FlowrexError,
    LockHeld,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.pgbackrest import LOCKED

_GRACE_S = 10.0
_RIGHTS = "permission denied for function"
_UNREACHABLE = {
    49: "the connection broke",
    56: "PostgreSQL does not answer",
    82: "the archive did not get the WAL in time",
}
# Debian's own `psql` is a script that takes ten times as long to start.
_PSQL = "/usr/lib/postgresql/*/bin/psql"


async def run(
    argv: Sequence[str],
    *,
    limit_s: float,
    given: str = "",
    environ: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end and return what it prints.

    Args:
        argv: the program and its arguments; no secret is among them.
        limit_s: seconds that it may take.
        given: its standard input.
        environ: beside PATH, HOME and LANG, the whole environment that it gets.

    Raises:
        LockHeld: another pgBackRest does something with the stanza.
        ServerUnreachable: it took too long, or PostgreSQL or the store can't be reached.
        ServerRefused: it failed.
        ConfigurationError: there is no such program.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    try:
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**kept, "LANG": "C.UTF-8", **(environ or {})},
            cwd="/",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{argv[0]} is not installed",
            hint="apt-get install pgbackrest postgresql-client, or your system's packages.",
        ) from error
    try:
        out, err = await asyncio.wait_for(child.communicate(given.encode()), limit_s)
    except TimeoutError:
        raise ServerUnreachable(
            f"`{_shown(argv)}` did not end within {limit_s:.0f} s and was ended",
            hint="What it did is safe to begin again; pgBackRest goes on where it was.",
        ) from None
    finally:
        await _end(child)
    if child.returncode:
        raise _failure(argv, child.returncode, err.decode(errors="replace"))
    return out.decode(errors="replace")


def psql() -> str:
    """Return PostgreSQL's client, past Debian's script of the same name."""
    found = sorted(Path("/").glob(_PSQL.lstrip("/")), key=lambda path: path.parts[-3])
    return str(found[-1]) if found else "psql"


async def _end(child: asyncio.subprocess.Process) -> None:
    """End a child that still runs, with all that it started, and wait for it."""
    if child.returncode is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        try:
            await asyncio.wait_for(child.wait(), _GRACE_S)
        except TimeoutError:
            continue
        return
    await child.wait()


def _failure(argv: Sequence[str], status: int, said: str) -> FlowrexError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    wrong = [line for line in lines if line.startswith(("ERROR", "FATAL", "psql: error"))] or lines
    text = f"`{_shown(argv)}` failed ({status}): {' '.join(wrong) or 'it does not say why'}"
    if status == LOCKED:
        return LockHeld(text, hint="Wait for it to end; pgBackRest does one thing at a time.")
    if why := _UNREACHABLE.get(status):
        return ServerUnreachable(f"{text} ({why})")
    hint = (
        "`flowrexctl bootstrap ENV` gives the agent's role its rights." if _RIGHTS in text else None
    )
    return ServerRefused(text, hint=hint)


def _shown(argv: Sequence[str]) -> str:
    """Return what was run in few words: the program and, for pgBackRest, its verb."""
    program = Path(argv[0]).name
    verb = argv[-1] if program.startswith("pgbackrest") else ""
    return f"{program} {verb}".strip()
