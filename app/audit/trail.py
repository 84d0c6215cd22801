"""Records from many requests, brought to the disk together: one sync for all that wait for it."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading

from app.audit.file import AuditFailed, AuditFile
from app.metrics import Metrics
from flowrex.audit.record import Record

_log = logging.getLogger("app.audit")

# As many records as one sync takes with it, at most.
_BATCH = 1000


class Trail:
    """A thread that writes, and requests that wait for it."""

    def __init__(self, file: AuditFile, metrics: Metrics) -> None:
        """Prepare the thread; it starts with the first record.

        Args:
            file: where records go.
            metrics: what is counted.
        """
        self._file = file
        self._metrics = metrics
        self._waiting: queue.SimpleQueue[_Wait | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._works = True

    @property
    def usable(self) -> bool:
        """Whether a record that is written now would most likely reach the disk."""
        return self._works and self._file.has_room()

    async def write(self, record: Record) -> None:
        """Return when a record is on disk.

        Raises:
            AuditFailed: it is not.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
            self._thread.start()
        wait = _Wait(record)
        self._waiting.put(wait)
        # A request that is cancelled meanwhile leaves its record behind, which is right.
        await asyncio.shield(wait.done)

    def close(self) -> None:
        """Write what waits, and end."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(5)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, more = [first], True
            while more and len(batch) < _BATCH and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    self._waiting.put(None)
                    more = False
                else:
                    batch.append(following)
            self._write(batch)
        self._file.close()

    def _write(self, batch: list[_Wait]) -> None:
        failure: AuditFailed | None = None
        try:
            self._file.write([one.record for one in batch])
        except AuditFailed as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - an edge: those who wait must hear of it
            _log.exception("writing the audit trail failed")
            failure = AuditFailed(f"the audit trail can't be written ({type(error).__name__})")
        if failure is not None and self._works:
            _log.critical("changing requests are refused: %s", failure.message)
        self._works = failure is None
        for one in batch:
            result = "success" if failure is None else "failure"
            self._metrics.audit_records.labels(result=result).inc()
            one.end(failure)


class _Wait:
    """One record and the request that waits for it."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()

    def end(self, failure: AuditFailed | None) -> None:
        """Wake the request; from the writing thread."""
        self._loop.call_soon_threadsafe(self._settle, failure)

    def _settle(self, failure: AuditFailed | None) -> None:
        if self.done.done():
            return
        if failure is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(failure)
