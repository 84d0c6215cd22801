"""The task that looks after the credentials, so that the other tasks find them good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from agents.backoff import Backoff
from agents.context import Context
from agents.credentials.clients import Clients
from agents.task import Beat
from flowrex.duration import seconds
from flowrex.errors import FlowrexError

BELL = "credentials"

# A Vault that hangs is given up after its client's time, once for each of a look's few requests.
_LOOK_S = 90.0


class Keeper:
    """Looks at the credentials at each interval, and at once when a server refused them."""

    name = "credentials"

    def __init__(self, context: Context, clients: Clients) -> None:
        self._context = context
        self._clients = clients
        self._interval_s = seconds(context.settings.vault.check_interval)
        self._backoff = Backoff(1.0, self._interval_s)
        self._failures = 0
        self.stall_s = self._interval_s + 60

    async def run(self, beat: Beat) -> None:
        """Look, wait, and look again. That Vault is away is no failure of the agent's."""
        while True:
            with beat.allow(_LOOK_S):
                await self._look()
            wait_s = self._interval_s
            if self._failures:
                wait_s = self._backoff.seconds(self._failures)
            if await self._context.wake.wait(BELL, wait_s) is not None:
                # Who is refused asks again and again; Vault need not be asked as often.
                await self._context.clock.sleep(1.0)
            beat()

    async def _look(self) -> None:
        try:
            await asyncio.to_thread(self._clients.look)
        except FlowrexError as error:
            self._failures += 1
            self._tell(error.message)
        else:
            self._failures = 0
            self._tell("")

    def _tell(self, problem: str) -> None:
        if problem != self._clients.seen.problem:
            self._clients.seen.problem = problem
            self._context.changed()

    def status(self) -> dict[str, Any]:
        """Return how often credentials were got, and why none can be."""
        seen, left = self._clients.seen, self._clients.token_left_s()
        return {
            "problem": seen.problem,
            "logins": seen.logins,
            "renewals": seen.renewals,
            "replaced": seen.replaced,
            "token_left_s": None if left is None else round(left),
        }

    def metrics(self) -> Iterator[Any]:
        """Yield the same as metric families."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        seen = self._clients.seen
        yield CounterMetricFamily(
            "flowrex_agent_vault_logins", "Logins to Vault that succeeded.", value=seen.logins
        )
        yield CounterMetricFamily(
            "flowrex_agent_vault_renewals", "Renewals of Vault's token.", value=seen.renewals
        )
        yield CounterMetricFamily(
            "flowrex_agent_credentials_replaced",
            "Credentials of Consul or S3 that were replaced by others.",
            value=seen.replaced,
        )
        yield GaugeMetricFamily(
            "flowrex_agent_credentials_problem",
            "1 while a credential can't be had or looked after.",
            value=bool(seen.problem),
        )
