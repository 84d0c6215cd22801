"""A task's log: which allocation's, its last lines, and what comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowrex.errors import NotFound, UsageError
from flowrex.nomad import Allocation, NomadClient

_BYTES_A_LINE = 512
_MOST_BYTES = 4 * 1024 * 1024


def choose(
    allocations: Sequence[Allocation], job: str, wanted: str | None, environment: str
) -> Allocation:
    """Pick the allocation whose log is meant.

    Args:
        allocations: the job's, the newest first.
        job: its name.
        wanted: the beginning of an allocation's id; None: the newest that runs, else the newest.
        environment: its name, for the sentence.

    Raises:
        UsageError: no allocation, or more than one, has an id that begins so.
    """
    if not allocations:
        raise UsageError(
            f"{job} has no allocations in {environment}", hint=f"flowrexctl status {environment}"
        )
    if wanted is None:
        return next((one for one in allocations if one.live), allocations[0])
    found = [one for one in allocations if one.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{one.short_id} ({one.client_status})" for one in allocations[:8])
    many = "more than one allocation" if found else "no allocation"
    raise UsageError(f"{job} has {many} whose id begins with {wanted!r}", hint=f"It has: {listed}")


def last_lines(
    nomad: NomadClient, allocation: Allocation, task: str, *, stream: str, count: int
) -> list[str]:
    """Return the last lines of a task's log.

    Args:
        nomad: where it is.
        allocation: the task's.
        task: its name.
        stream: `stdout` or `stderr`.
        count: how many lines; 0: all that the node still has, up to 4 MiB.
    """
    size = min(_MOST_BYTES, count * _BYTES_A_LINE) if count else _MOST_BYTES
    try:
        text = nomad.allocations.tail(allocation.id, task, stream=stream, max_bytes=size)
    except NotFound as error:
        raise NotFound(
            f"the log of allocation {allocation.short_id} is not there (any more)",
            hint="A node keeps the logs of ended allocations for a while only.",
        ) from error
    lines = _lines(text)
    if count and len(lines) <= count and size < _MOST_BYTES and len(text) >= size // 2:
        # Long lines: what was read holds fewer lines than were asked for.
        text = nomad.allocations.tail(allocation.id, task, stream=stream, max_bytes=_MOST_BYTES)
        lines = _lines(text)
    return lines[-count:] if count else lines


def _lines(text: str) -> list[str]:
    # Only a line feed ends a line: JSON may hold the other separators that Python knows.
    return text.removesuffix("\n").split("\n") if text else []


def lines_from(pieces: Iterator[bytes]) -> Iterator[str]:
    """Yield whole lines from pieces that are cut anywhere, the last one also without its end.

    Args:
        pieces: what the node sends.
    """
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")
