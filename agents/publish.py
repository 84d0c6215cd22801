"""The task that tells Consul how the agent is: a service with a TTL check, and a document."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agents.backoff import Backoff
from agents.context import Context
from agents.task import Beat
from agents.wake import STATUS
from flowrex import __version__, keys
from flowrex.duration import seconds
from flowrex.errors import FlowrexError, NotFound, PermissionRefused

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient

log = logging.getLogger(__name__)

SERVICE = "flowrex-agent"

# Changes that come together are published together.
_GATHER_S = 1.0
_STEP_S = 60.0
_LAST_S = 3.0


class Publisher:
    """Keeps the service, its check and the node's document in Consul as the agent is."""

    name = "status"

    def __init__(self, context: Context, report: Callable[[], dict[str, Any]]) -> None:
        """Remember what is published.

        Args:
            context: the surroundings.
            report: returns the status document.
        """
        self._context = context
        self._report = report
        self._interval_s = seconds(context.settings.status.interval)
        self._backoff = Backoff(1.0, self._interval_s)
        self.stall_s = self._interval_s + 60
        self._registered = False
        self._failures = 0
        self._problem = ""
        self._published_at: datetime | None = None

    async def run(self, beat: Beat) -> None:
        """Publish at changes and at each interval, until cancelled; then say that it is the end."""
        try:
            while True:
                with beat.allow(_STEP_S):
                    await self._publish()
                wait_s = self._interval_s
                if self._failures:
                    wait_s = self._backoff.seconds(self._failures)
                if await self._context.wake.wait(STATUS, wait_s) is not None:
                    await self._context.clock.sleep(_GATHER_S)
                beat()
        except asyncio.CancelledError:
            await self._last()
            raise

    async def _publish(self) -> None:
        try:
            await asyncio.to_thread(self.publish_now)
        except PermissionRefused as error:
            self._context.refused()
            self._fail(error)
        except FlowrexError as error:
            self._fail(error)
        else:
            if self._problem:
                log.info("Consul takes the status again")
            self._failures, self._problem = 0, ""

    async def _last(self) -> None:
        document = self._report()
        if document["state"] == "running":
            return  # a reload makes this task anew
        document["state"] = "stopped"
        document["check"]["output"] = "the agent was stopped"
        try:
            await asyncio.wait_for(asyncio.to_thread(self._put, document), _LAST_S)
        except (FlowrexError, TimeoutError):
            log.warning("Consul was not told that the agent stops")

    def publish_now(self) -> None:
        """Publish once; called in a thread.

        Raises:
            ServerUnreachable: Consul is away, refuses, or its token can't be had.
        """
        self._put(self._report())
        self._published_at = self._context.clock.now()

    def _put(self, document: Mapping[str, Any]) -> None:
        consul = self._context.consul()
        self._check(consul, document["check"])
        consul.kv_put(keys.agent(self._context.node), json.dumps(document))

    def _check(self, consul: ConsulClient, check: Mapping[str, str]) -> None:
        status, output = check["status"], check["output"]
        if self._registered:
            try:
                consul.update_check(self._service_id, status, output)
            except NotFound:
                # The Consul agent lost its data, or somebody deregistered the service.
                log.warning("Consul does not know the agent's check; registering it again")
            else:
                return
        settings = self._context.settings
        consul.register_service(
            SERVICE,
            self._service_id,
            ttl=settings.consul.service_ttl,
            status=status,
            tags=(settings.environment,),
            meta={"version": __version__, "node": self._context.node},
            # Whoever runs on this node, Prometheus for one, finds the metrics there.
            address=settings.http.address,
            port=settings.http.port,
        )
        self._registered = True
        consul.update_check(self._service_id, status, output)

    @property
    def _service_id(self) -> str:
        return f"{SERVICE}-{self._context.node}"

    def _fail(self, error: FlowrexError) -> None:
        self._failures += 1
        if error.message != self._problem:
            log.warning("status is not published", extra={"error": error.message})
        self._problem = error.message

    def status(self) -> dict[str, Any]:
        """Return when it was published last, and why it can't be."""
        at = self._published_at
        return {
            "problem": self._problem,
            "published_at": None if at is None else at.isoformat(timespec="seconds"),
        }

    def metrics(self) -> Iterator[Any]:
        """Yield when it was published last."""
        from prometheus_client.core import GaugeMetricFamily

        at = self._published_at
        yield GaugeMetricFamily(
            "flowrex_agent_status_published_timestamp_seconds",
            "When the status was last published in Consul; 0: not since the start.",
            value=0 if at is None else at.timestamp(),
        )
