"""The task `physical`: it watches the archiver and the archive, and says what is wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

from agents.alarms import Alarm, Alarms
from agents.context import Context
from agents.physical import archive, archiver
from agents.physical.archive import Listing
from agents.physical.archiver import Archiver
from agents.physical.info import Repository
from agents.physical.keys import Keys
from agents.physical.stanza import Stanza
from agents.task import Beat
from flowrex.duration import seconds
from flowrex.errors import ConfigurationError, FlowrexError, ServerUnreachable

log = logging.getLogger(__name__)

# One look may need every wait of pgBackRest's and of the store's.
_ONE_LOOK_S = 600.0


class Watch:
    """Looks at PostgreSQL's archiver often, and at the whole archive now and then.

    Attributes:
        alarms: what is wrong.
        repository: what the last look found, or None.
    """

    name = "physical"

    def __init__(
        self, context: Context, stanza: Stanza, alarms: Alarms, keys: Callable[[], Keys]
    ) -> None:
        """Remember what to look at.

        Args:
            context: settings, store and clock.
            stanza: the cluster.
            alarms: takes what is wrong.
            keys: finds the repository's keys; it may block.
        """
        chosen = context.settings.physical
        self._context = context
        self._stanza = stanza
        self._keys = keys
        self._every_s = seconds(chosen.watch_interval)
        self._list_s = seconds(chosen.list_interval)
        self._rpo_s = seconds(chosen.rpo)
        self._ready = False
        self._looked = False
        self._listed_at: float | None = None
        self._archiver: Archiver | None = None
        self._listing: Listing | None = None
        self.stall_s = 4 * self._every_s + 60
        self.alarms = alarms
        self.repository: Repository | None = None

    async def run(self, beat: Beat) -> None:
        """Look, for ever."""
        while True:
            with beat.allow(_ONE_LOOK_S):
                await self.look()
            beat()
            await self._context.clock.sleep(self._every_s)

    async def look(self) -> None:
        """Look once; what can't be seen is an alarm as well.

        Raises:
            ConfigurationError: no look succeeded yet, and a program is missing.
        """
        await self._prepare()
        self.alarms.report("archiver", await self._seen(self._look_at_archiver, "archiver unseen"))
        now = self._context.clock.monotonic()
        if self._listed_at is not None and now - self._listed_at < self._list_s:
            return
        found = await self._seen(self._look_at_archive, "archive unseen")
        self.alarms.report("archive", found)
        self._looked = True
        if not any(alarm.name == "archive unseen" for alarm in found):
            self._listed_at = now

    def look_again(self) -> None:
        """Let the next look list the archive: something was put there, or taken away."""
        self._listed_at = None

    @property
    def listing(self) -> Listing | None:
        """What the last look at the archive found."""
        return self._listing

    async def _prepare(self) -> None:
        """Write pgbackrest.conf and make the stanza, until both were done once."""
        if self._ready:
            return
        problem: list[Alarm] = []
        try:
            await self._configure()
            await self._stanza.create()
            self._ready = True
        except FlowrexError as error:
            # It is tried again at the next look; what there is already goes on meanwhile.
            problem = [Alarm("stanza", f"{error.message} {error.hint or ''}".strip())]
        self.alarms.report("stanza", problem)

    async def _configure(self) -> None:
        try:
            found = await asyncio.to_thread(self._keys)
        except ServerUnreachable as error:
            if not self._stanza.config.exists():
                raise
            log.warning(
                "pgbackrest.conf is used as it is: its keys can't be compared",
                extra={"why": error.message},
            )
            return
        if await asyncio.to_thread(self._stanza.configure, found):
            log.info("pgbackrest.conf was written", extra={"path": str(self._stanza.config)})

    async def _seen(self, look: Callable[[], Any], name: str) -> list[Alarm]:
        try:
            found: list[Alarm] = await look()
        except ConfigurationError as error:
            if not self._looked:
                raise  # a program that was never there: the agent's start is refused
            return [Alarm(name, error.message)]
        except FlowrexError as error:
            return [Alarm(name, error.message)]
        return found

    async def _look_at_archiver(self) -> list[Alarm]:
        self._archiver = None
        self._archiver = found = await self._stanza.archiver()
        return list(archiver.judge(found, stanza=self._stanza.name, rpo_s=self._rpo_s))

    async def _look_at_archive(self) -> list[Alarm]:
        self.repository = found = await self._stanza.repository()
        if not found.exists:
            return [Alarm("stanza missing", "The repository has no such stanza: it was deleted.")]
        alarms = []
        if found.problem:
            alarms.append(Alarm("repository", f"pgBackRest says of it: {found.problem}."))
        asked = self._archiver
        if asked and asked.system_id != found.system_id:
            alarms.append(
                Alarm(
                    "another cluster",
                    f"The repository is of the cluster {found.system_id}, and PostgreSQL is "
                    f"{asked.system_id}. Give the new one a stanza of its own.",
                )
            )
        prefix = self._context.settings.physical.prefix.strip("/")
        folder = f"{prefix}/archive/{self._stanza.name}/{found.archive}/"
        bucket = self._context.settings.s3.backups_bucket
        self._listing = await asyncio.to_thread(
            lambda: archive.look(self._context.s3(), bucket, folder, found, archiver=asked)
        )
        return [*alarms, *archive.alarm(self._listing.gaps)]

    def status(self) -> dict[str, Any]:
        """Return what is known of the archiving."""
        asked, listing = self._archiver, self._listing
        return {
            "problem": "; ".join(self.alarms.names),
            "alarms": self.alarms.document(),
            "archive_lag_s": None if asked is None else round(asked.lag_s, 1),
            "waiting_segments": None if asked is None else asked.waiting,
            "last_archived": None if asked is None else asked.last_wal,
            "archived_segments": None if listing is None else listing.segments,
            "missing_segments": None if listing is None else listing.missing,
        }

    def metrics(self) -> Iterator[Any]:
        """Yield the archiver's metrics; what is not known is left out."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        raised = GaugeMetricFamily(
            "flowrex_physical_alarm", "1 for what is wrong with physical backups.", labels=["alarm"]
        )
        for name in self.alarms.names:
            raised.add_metric([name], 1)
        yield raised
        asked, listing = self._archiver, self._listing
        yield GaugeMetricFamily(
            "flowrex_wal_archive_lag_seconds",
            "For how long the oldest finished segment waits to be archived.",
            value=None if asked is None else asked.lag_s,
        )
        yield GaugeMetricFamily(
            "flowrex_wal_waiting_segments",
            "Segments that wait.",
            value=None if asked is None else asked.waiting,
        )
        yield CounterMetricFamily(
            "flowrex_wal_archive_failures",
            "How often PostgreSQL could not archive.",
            value=None if asked is None else asked.failed,
        )
        yield GaugeMetricFamily(
            "flowrex_wal_gaps",
            "Segments missing in the archive.",
            value=None if listing is None else listing.missing,
        )
        yield GaugeMetricFamily(
            "flowrex_wal_archived_segments",
            "Segments in it.",
            value=None if listing is None else listing.segments,
        )
