"""What the worker does in an emergency, in the audit trail beside what clients do."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from app.audit.file import AuditFailed
from app.audit.trail import Trail
from app.store.flatten import ACTOR, Record, Run
from flowrex.audit.record import Record as AuditRecord

_log = logging.getLogger("app.workers.journal")


class Journal:
    """Tells the audit trail of each step."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail

    async def __call__(self, run: Run, record: Record) -> None:
        """Write a step that is committed.

        A trail that can't be written does not keep positions open: the step's row in the database
        is its record, and what is missing here is said in the log.
        """
        try:
            await self._trail.write(
                AuditRecord(
                    time=datetime.now(UTC),
                    kind="flatten",
                    actor=ACTOR,
                    detail={
                        "change": run.change,
                        "fence": run.fence,
                        "holder": run.holder,
                        "step": record.step,
                        "symbol": record.symbol,
                        "order": record.order_id,
                        "quantity": None if record.quantity is None else f"{record.quantity:f}",
                        "detail": record.detail,
                    },
                )
            )
        except AuditFailed as error:
            _log.critical("step %s of emergency %s is not in the audit trail: %s",
                          record.step, run.change, error.message)  # fmt: skip
