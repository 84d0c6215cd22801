"""The task `operators`: what operators did, from Consul into the audit trail.

One agent of an environment does it at a time. An entry is taken away when it is on disk. One that
could not be taken away, also because of a death in between, is found there by its id and is not
written twice. Where the node died for good, another's agent writes it again, with the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

from agents import lock
from agents.audit.own import OwnTrail
from agents.context import Context
from agents.task import Beat
from agents.threads import in_daemon_thread
from flowrex import keys
from flowrex.audit import outbox
from flowrex.consul import KVEntry
from flowrex.errors import FlowrexError, LockHeld

log = logging.getLogger(__name__)

# A query of Consul's that blocks; a record that is left ends it at once.
_WAIT_S = 30.0
_AGAIN_S = 5.0


class Operators:
    """Carries entries into the trail."""

    name = "operators"
    stall_s = 300.0

    def __init__(self, context: Context, trail: OwnTrail) -> None:
        """Prepare.

        Args:
            context: the surroundings.
            trail: the agent's own records.
        """
        self._context = context
        self._trail = trail
        self._environment = context.settings.environment
        self._prefix = keys.outbox(self._environment)
        self._written: set[str] = set()
        self._carried = self._unreadable = self._waiting = 0
        self._problem = ""

    async def run(self, beat: Beat) -> None:
        """Wait for records, and carry them, until cancelled."""
        index = 0
        while True:
            beat()
            try:
                index = await in_daemon_thread(partial(self.wait, index), name="audit operators")
                if self._waiting:
                    await in_daemon_thread(self.carry, name="audit operators")
                self._problem = ""
                if index:  # without one the next query would not wait
                    continue
            except LockHeld:
                self._problem = ""  # another agent is at it
            except (FlowrexError, OSError) as error:
                said = error.message if isinstance(error, FlowrexError) else str(error)
                if said != self._problem:
                    log.warning("what operators did waits", extra={"error": said})
                self._problem = said
            # What waits is looked at again, also where nothing was added to it.
            index = 0
            await self._context.clock.sleep(_AGAIN_S)

    def wait(self, index: int) -> int:
        """Wait until something may have been left; asks Consul, so call it from a thread.

        Args:
            index: what the last call returned; 0 returns at once.

        Returns:
            The index for the next call.

        Raises:
            ServerUnreachable: Consul is away.
        """
        entries, index = self._context.consul().kv_wait_prefix(self._prefix, index, _WAIT_S)
        self._waiting = len(entries)
        return index

    def carry(self) -> int:
        """Carry what waits, and return how much that was. Asks Consul, so call it from a thread.

        Raises:
            LockHeld: another agent is at it.
            ServerUnreachable: Consul is away.
            OSError: the trail can't be written; nothing is taken away then.
        """
        key = keys.outbox_lock(self._environment)
        what = "operators' records"
        with lock.hold(self._context.consul, key, what, self._context.node, what) as held:
            entries = sorted(self._context.consul().kv_list(self._prefix), key=lambda one: one.key)
            for entry in entries:
                held.check()
                self._carry(entry)
        self._waiting = 0
        return len(entries)

    def status(self) -> dict[str, Any]:
        """Return how much waits, and why."""
        return {"waiting": self._waiting, "carried": self._carried, "problem": self._problem}

    def metrics(self) -> Iterator[Any]:
        """Yield the counts."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        done = CounterMetricFamily(
            "flowrex_audit_operator_records",
            "Records of what operators did that were written into the trail, by result.",
            labels=["result"],
        )
        done.add_metric(["carried"], self._carried)
        done.add_metric(["unreadable"], self._unreadable)
        yield done
        waiting = GaugeMetricFamily(
            "flowrex_audit_operator_records_waiting",
            "Records of what operators did that are not in the trail yet.",
        )
        waiting.add_metric([], self._waiting)
        yield waiting

    def _carry(self, entry: KVEntry) -> None:
        record = outbox.read(entry.key, entry.value)
        # The file of one that stays in Consul for long is tidied away; so it is remembered, too.
        if entry.key not in self._written and not self._trail.has(record.request_id):
            self._trail.write(record)
            self._carried += 1
            self._unreadable += record.kind == outbox.UNREADABLE
        self._written.add(entry.key)
        self._context.consul().kv_delete(entry.key)
        self._written.discard(entry.key)
