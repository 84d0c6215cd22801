"""One database at a moment: what a restore to it takes away, a drill, and the restore itself.

The cluster is recovered beside the running one, the database is dumped from there into a fresh one,
compared, and given its name. The running server is never stopped, other databases and roles stay as
they are, and whatever fails leaves everything as it was. docs/adr/0011 tells why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from agents import lock
from agents.backup import loss as losing
from agents.backup import restore as restoring
from agents.backup.fill import Target as Into
from agents.backup.hands import Hands
from agents.backup.loss import loss
from agents.backup.restore import Origin
from agents.backup.swap import LED_FROM
from agents.backup.work import Backups
from agents.physical import alone
from agents.physical.info import Backup, Repository
from agents.physical.recovered import recovered
from agents.physical.restore import choose
from agents.physical.stanza import Stanza
from agents.physical.target import Target, parse
from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import ServerRefused


@dataclass(frozen=True)
class Moments:
    """The moments of one node's cluster.

    Attributes:
        stanza: the cluster.
        node: this node.
        consul: gives Consul's client.
        scratch: below which clusters are recovered.
        bin_dir: where PostgreSQL's programs are; None: looked for.
        now: tells the time.
    """

    stanza: Stanza
    node: str
    consul: Callable[[], ConsulClient]
    scratch: Path
    bin_dir: str | None
    now: Callable[[], datetime]

    def repository(self, hands: Hands) -> Repository:
        """Return what there is."""
        return alone.in_thread(self.stanza.repository(), hands.tick)

    def preview(self, to: str, hands: Hands) -> dict[str, Any]:
        """Return from what a moment would be restored, and what would be lost; nothing is done.

        Args:
            to: the moment, as `--to` has it.
            hands: how it is watched.

        Raises:
            UsageError: it is no moment.
            NotFound: no backup is from before it.
        """
        target = parse(to, now=self.now())
        backup = choose(self.repository(hands), target)
        return {
            "name": backup.label,
            "to": str(target),
            "sentences": [*sentences(backup, target, self.now())],
        }

    def drill(self, to: str, hands: Hands) -> dict[str, Any]:
        """Recover the cluster to a moment, read every row of its database, and note that it went.

        Args:
            to: the moment.
            hands: how it is watched.

        Raises:
            LockHeld: something else is done with the stanza.
            ServerRefused: it can't be recovered to that moment.
        """
        target, begun = parse(to, now=self.now()), self.now()
        with self.locked(f"drill to {target}", hands) as tick:
            watched = replace(hands, tick=tick)
            alone.in_thread(self.stanza.flush(), tick)
            folder = self.scratch / "drill"
            with recovered(
                self.stanza,
                self.repository(watched),
                target,
                folder,
                watched,
                bin_dir=self.bin_dir,
            ) as found:
                rows, revision = found.facts.rows, found.facts.schema_revision
                # pg_dump reads every table and every definition; what it can't read is broken.
                size = sum(len(piece) for piece in found.pieces(watched))
            at = self.now()
            alone.in_thread(
                self.stanza.drilled(found.label, at.isoformat(timespec="seconds")), tick
            )
        taken = round((at - begun).total_seconds(), 1)
        return {
            "name": found.label,
            "to": str(target),
            "good": True,
            "seconds": taken,
            "rows": sum(rows.values()),
            "tables": len(rows),
            "revision": revision,
            "text": f"recovered to {target} in {taken} s, and dumped whole: {sum(rows.values())} "
            f"rows in {len(rows)} tables, {size >> 20} MiB",
        }

    def restore(self, to: str, backups: Backups, hands: Hands) -> dict[str, Any]:
        """Put the database as it was at a moment into the place of the one in use.

        Whoever asks has confirmed it, and has stopped what writes.

        Args:
            to: the moment.
            backups: the database, with who may restore it.
            hands: how it is watched.

        Raises:
            LockHeld: the database is being backed up or restored.
            ServerRefused: the moment can't be reached; the database is as it was.
        """
        target = parse(to, now=self.now())
        with backups.locked(f"restore to {target}", hands) as tick:
            watched = replace(hands, tick=tick)
            hands.say("sending what was written so far to the archive")
            alone.in_thread(self.stanza.flush(), tick)
            repository = self.repository(watched)
            with backups.target(watched) as into:
                _insist_on_the_same(repository, into)
            with recovered(
                self.stanza,
                repository,
                target,
                self.scratch / "restore",
                watched,
                bin_dir=self.bin_dir,
            ) as found:
                state = found.facts.state
                origin = Origin(
                    f"{found.label} to {target}",
                    backups.database,
                    state,
                    lambda: found.pieces(watched),
                )
                with backups.target(watched) as into:
                    lost = loss(target.time, state, into, backups.database)
                    done = restoring.restore(origin, into, now=self.now)
        return {
            **done.document(),
            "name": found.label,
            "to": str(target),
            "loss": lost.document(),
            "sentences": lost.sentences(self.now()),
        }

    @contextmanager
    def locked(self, what: str, hands: Hands) -> Iterator[Callable[[], None]]:
        """Hold the stanza's lock for the length of a block, and give a tick that watches it too.

        Raises:
            LockHeld: another node, or this one's schedule, does something with it.
        """
        name = self.stanza.name
        key, subject = keys.physical_lock(name), f"the stanza {name}"
        with lock.hold(self.consul, key, subject, self.node, what) as held:
            yield held.checked(hands.tick)


def _insist_on_the_same(repository: Repository, into: Into) -> None:
    """Insist that the moment's database goes back to where it is from, before hours are spent.

    Raises:
        ServerRefused: the primary that `backup` names is another cluster than the repository's.
    """
    with into.session(LED_FROM) as session:
        found = session.value("SELECT system_identifier FROM pg_control_system()")
    if found != repository.system_id:
        raise ServerRefused(
            f"{into.server} is the cluster {found}, and the physical backups are of "
            f"{repository.system_id}",
            hint="Look at backup.postgres.servers and physical in the agent's configuration.",
        )


def sentences(backup: Backup, target: Target, now: datetime) -> Iterator[str]:
    """Yield from what a moment is restored, and what is lost by it.

    Args:
        backup: where it begins.
        target: the moment.
        now: the time.
    """
    yield (
        f"Restored from the physical backup {backup.label} ({backup.kind}, ended "
        f"{backup.stopped:%Y-%m-%d %H:%M:%S} UTC) and the WAL since, to {target}."
    )
    if target.time is not None:
        yield losing.since(target.time, now)
    elif target.kind == "immediate":
        yield losing.since(backup.stopped, now)
    elif target.kind == "end":
        yield "Nothing that was committed before the jobs were stopped is lost."
    else:
        yield f"Everything written after {target} is lost from the database."
    yield "Roles and other databases of the server stay as they are."
