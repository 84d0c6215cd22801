"""What a node does with the backups of its database: for the task, for operators, for the shell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agents import lock
from agents.backup import drill as drills
from agents.backup import fill, local, prune, restore, swap, take, verify
from agents.backup.access import Access, Server
from agents.backup.catalog import Catalog, Listing
from agents.backup.datakey import KeyRing
from agents.backup.hands import Hands
from agents.backup.login import Logins
from agents.backup.manifest import Manifest
from agents.backup.psql import Tick
from agents.backup.records import Record
from agents.backup.retention import Policy
from agents.backup.source import candidates
from agents.backup.state import state_of
from agents.backup.verify import Reader
from agents.settings.backup import Backup as Settings
from flowrex import keys as consul_keys
from flowrex.backup_state import BackupState
from flowrex.consul import ConsulClient
from flowrex.duration import seconds
from flowrex.errors import ConfigurationError, FlowrexError, ServerUnreachable, UsageError
from flowrex.files import replacing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backups:
    """The backups of one database, as one node has to do with them.

    Attributes:
        settings: the section `backup`.
        environment: which environment.
        node: this node.
        consul: gives Consul's client.
        catalog: where they are kept.
        keys: where data keys come from.
        logins: where PostgreSQL's logins come from.
        scratch: below which drills restore.
        now: tells the time.
        told: whether what is found out is published in Consul.
    """

    settings: Settings
    environment: str
    node: str
    consul: Callable[[], ConsulClient]
    catalog: Catalog
    keys: KeyRing
    logins: Logins
    scratch: Path
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    told: bool = True

    @property
    def database(self) -> str:
        """The database's name."""
        return self.settings.postgres.database

    @property
    def reader(self) -> Reader:
        """How backups are read here."""
        return Reader(
            self.catalog, self.keys, Access("nobody", bin_dir=self.settings.postgres.bin_dir)
        )

    @property
    def policy(self) -> Policy:
        """How long backups are kept."""
        kept = self.settings.retention
        return Policy(
            daily=timedelta(days=kept.daily_days),
            weekly=timedelta(weeks=kept.weekly_weeks),
            monthly=timedelta(days=31 * kept.monthly_months),
        )

    def list(self) -> Listing:
        """Return what there is."""
        return self.catalog.list()

    def take(
        self,
        reason: str,
        hands: Hands,
        *,
        name: str = "",
        unless: Callable[[], bool] = lambda: False,
    ) -> Manifest | None:
        """Take a backup, and read it again: only then it is good.

        Args:
            reason: what for.
            hands: how it is watched.
            name: the backup's; made from the reason and the time where empty.
            unless: asked once the lock is held; True: there is nothing to do any more.

        Returns:
            The manifest; None where there was nothing to do.
        """
        source = take.Source(
            self.settings,
            self.environment,
            self.node,
            self.catalog,
            self.keys,
            self.logins,
            self.now,
        )
        with self.locked(f"backup {reason}", hands) as tick:
            if unless():
                return None
            manifest = take.take(source, reason, name=name, tick=tick, progress=hands.say)
            # Before the lock is given back: the next node looks whether there is a good one.
            self.verify(manifest.name, replace(hands, tick=tick))
        self._keep_here(manifest.name, hands)
        return manifest

    def verify(self, name: str, hands: Hands) -> Record:
        """Read a backup's every byte, and note and publish what came of it."""
        chosen = self._named(name)
        try:
            return verify.verify(
                self.reader,
                chosen,
                by=hands.by or self.node,
                now=self.now,
                tick=hands.tick,
                progress=hands.say,
            )
        finally:
            self.publish()

    def drill(self, name: str, hands: Hands) -> Record:
        """Restore a backup into a scratch server, and note and publish what came of it."""
        chosen = self._named(name)
        try:
            return drills.drill(
                self.reader,
                chosen,
                self.scratch,
                by=hands.by or self.node,
                now=self.now,
                limit_s=seconds(self.settings.drill_limit),
                tick=hands.tick,
                progress=hands.say,
            )
        finally:
            self.publish()

    def export(self, name: str, target: Path, hands: Hands) -> int:
        """Write a backup's dump as pg_dump made it, once all of it is known to be right.

        Args:
            name: which.
            target: the file; it appears when it is whole.
            hands: how it is watched.

        Returns:
            Its bytes.

        Raises:
            SealBroken: the backup is not what was written; there is no file.
        """
        manifest, key = self.reader.open(self._named(name))
        file = manifest.file(take.DATABASE)
        try:
            with replacing(target, mode=0o600) as temporary, temporary.open("wb") as out:
                for piece in self.reader.pieces(file, key, tick=hands.tick, progress=hands.say):
                    out.write(piece)
        except OSError as error:
            raise UsageError(f"{target} can't be written: {error.strerror}") from error
        return file.plain_size

    def hold(self, name: str, why: str, hands: Hands) -> None:
        """Keep a backup until it is released."""
        self.catalog.note(
            self._named(name), Record("hold", self.now(), by=hands.by or self.node, text=why)
        )

    def release(self, name: str, why: str, hands: Hands) -> None:
        """Let retention have a backup again."""
        self.catalog.note(
            self._named(name), Record("release", self.now(), by=hands.by or self.node, text=why)
        )

    def prune(self, hands: Hands, *, dry_run: bool = False) -> prune.Pruned:
        """Delete what retention lets go."""
        if dry_run:
            return prune.prune(self.catalog, self.policy, self.now(), dry_run=True)
        with self.locked("prune", hands) as tick:
            done = prune.prune(self.catalog, self.policy, self.now(), tick=tick, progress=hands.say)
        self.publish()
        return done

    @contextmanager
    def target(self, hands: Hands, access: Access | None = None) -> Iterator[fill.Target]:
        """Give the primary as somebody who may restore, for the length of a block.

        Args:
            hands: how it is watched.
            access: an operator's own login; Vault's role `restore` where None.
        """
        if access is not None:
            yield self._primary(access, hands)
            return
        with self.logins.restore() as leased:
            yield self._primary(leased, hands)

    def restore(
        self, name: str, target: fill.Target, hands: Hands, *, migrate: Sequence[str] = ()
    ) -> restore.Restored:
        """Restore a backup in the place of the database. Whoever asks has confirmed it."""
        chosen = self._named(name)
        with self.locked(f"restore {chosen}", hands) as tick:
            watched = replace(target, tick=tick)
            origin = restore.of_backup(self.reader, chosen, watched)
            return restore.restore(origin, watched, now=self.now, migrate=migrate)

    def publish(self, problem: str = "", listing: Listing | None = None) -> BackupState | None:
        """Write into Consul how good the backups are; None where that is not known now.

        Args:
            problem: why there is no newer one.
            listing: what there is; asked for unless given.
        """
        if not self.told:
            return None
        try:
            found = listing or self.list()
            state = state_of(found, self.database, self.node, self.now(), problem)
            self.consul().kv_put(consul_keys.backups(self.database), state.encode())
        except FlowrexError as error:
            # The next run says it.
            log.warning("the state of the backups was not published", extra={"why": error.message})
            return None
        return state

    def local(self) -> Backups:
        """Return the same for the copies that this node keeps itself.

        Raises:
            ConfigurationError: it keeps none.
        """
        folder = self.settings.retention.local_dir
        if folder is None:
            raise ConfigurationError(
                "this node keeps no backups itself", hint="backup.retention.local_dir says where."
            )
        return replace(self, catalog=local.catalog_of(self.catalog, Path(folder)), told=False)

    def _keep_here(self, name: str, hands: Hands) -> None:
        kept = self.settings.retention
        if kept.local_dir is not None:
            hands.say(f"copying {name} to {kept.local_dir}")
            local.keep(self.catalog, name, Path(kept.local_dir), kept.local_keep, tick=hands.tick)

    def _named(self, name: str) -> str:
        return self.list().find(name).name

    def _primary(self, access: Access, hands: Hands) -> fill.Target:
        found = candidates(
            access,
            [Server.parse(one) for one in self.settings.postgres.servers],
            swap.LED_FROM,
            tick=hands.tick,
            max_lag_s=float("inf"),
        )
        for one in found:
            if not one.replica:
                return fill.Target(access, one.server, hands.tick, hands.say)
        raise ServerUnreachable(
            "none of backup.postgres.servers is a primary now",
            hint="Name the primary there, or wait until one is promoted.",
        )

    @contextmanager
    def locked(self, what: str, hands: Hands) -> Iterator[Tick]:
        """Hold the database's lock for the length of a block, and give a tick that watches it too.

        Raises:
            LockHeld: another node holds it.
        """
        key = consul_keys.backup_lock(self.database)
        with lock.hold(self.consul, key, self.database, self.node, what) as held:
            yield held.checked(hands.tick)
