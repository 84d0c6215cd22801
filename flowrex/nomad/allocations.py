"""Allocations and the logs of their tasks."""

from __future__ import annotations

from collections.abc import Iterator

from flowrex.nomad.model import Allocation
from flowrex.nomad.transport import Transport


class Allocations:
    """What can be asked about allocations."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, allocation_id: str) -> Allocation:
        """Return one allocation, with every event of its tasks."""
        return Allocation.parse(self._transport.get(f"allocation/{allocation_id}"))

    def of_job(self, job_id: str) -> list[Allocation]:
        """Return a job's allocations that Nomad still has, of every version, the newest first."""
        return _newest_first(self._transport.get(f"job/{job_id}/allocations"))

    def wait_job(self, job_id: str, index: int, wait_s: float) -> tuple[list[Allocation], int]:
        """Ask for a job's allocations by blocking query; see `Transport.wait`."""
        answer = self._transport.wait(f"job/{job_id}/allocations", index, wait_s)
        return _newest_first(answer.value), answer.index

    def tail(
        self, allocation_id: str, task: str, *, stream: str = "stdout", max_bytes: int = 65536
    ) -> str:
        """Return the end of a task's log.

        Args:
            allocation_id: the allocation; it may have ended, as long as its node keeps it.
            task: the task in it.
            stream: `stdout` or `stderr`.
            max_bytes: how much at most, counted from the end.
        """
        reply = self._transport.send(
            "GET",
            f"client/fs/logs/{allocation_id}",
            params={
                "task": task,
                "type": stream,
                "plain": "true",
                "origin": "end",
                "offset": max_bytes,
            },
        )
        return reply.body.decode(errors="replace")

    def follow(self, allocation_id: str, task: str, *, stream: str = "stdout") -> Iterator[bytes]:
        """Yield what a task writes to its log from now on, until the task ends.

        Args:
            allocation_id: the allocation.
            task: the task in it.
            stream: `stdout` or `stderr`.

        Yields:
            Pieces as they come; a line may be cut anywhere.
        """
        return self._transport.stream(
            f"client/fs/logs/{allocation_id}",
            task=task,
            type=stream,
            plain="true",
            follow="true",
            origin="end",
            offset=0,
        )


def _newest_first(raw: object) -> list[Allocation]:
    parsed = [Allocation.parse(one) for one in raw or ()]  # type: ignore[attr-defined]
    return sorted(parsed, key=lambda one: one.create_index, reverse=True)
