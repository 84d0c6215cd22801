"""How a cluster is restored to a moment: which backup, which command, what is lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agents.physical import info
from agents.physical.info import Backup, Repository
from agents.physical.target import Target
from flowrex.errors import ConfigurationError, HardStop, NotFound, UsageError
from flowrex.pgbackrest import PROGRAM


@dataclass(frozen=True)
class Plan:
    """What a restore does.

    Attributes:
        argv: pgBackRest's command.
        backup: the backup that it begins from.
        target: the moment at which it stops.
        data: the data folder that it fills.
        in_place: whether that is the cluster's own.
        database: what a person types to confirm it.
    """

    argv: tuple[str, ...]
    backup: Backup
    target: Target
    data: Path
    in_place: bool
    database: str

    def sentences(self) -> Iterator[str]:
        """Yield what will happen and what will be lost, for the person who is asked."""
        yield (
            f"Backup {self.backup.label} ({self.backup.kind}, ended "
            f"{self.backup.stopped:%Y-%m-%d %H:%M:%S} UTC) is restored into {self.data}, and WAL "
            f"is replayed to {self.target}."
        )
        if self.in_place:
            yield (
                "Everything in that folder that is not in the backup is deleted. What was written "
                "after that moment is lost to the running cluster; it stays in the archive, on the "
                "timeline before."
            )
        else:
            yield "The running cluster is not touched, and the restored one archives nothing."


def plan(
    repository: Repository,
    target: Target,
    *,
    config: Path,
    stanza: str,
    own_data: Path,
    into: Path | None,
    database: str,
    label: str | None = None,
    timeline: str | None = None,
) -> Plan:
    """Return how to get to a moment.

    Args:
        repository: what there is.
        target: the moment.
        config: pgbackrest.conf.
        stanza: the stanza.
        own_data: the running cluster's data folder.
        into: another folder; None restores in place.
        database: the database's name.
        label: the backup to begin from; the newest one before the moment unless given.
        timeline: `latest`, `current` (the backup's own) or a number; `latest` unless given.

    Raises:
        NotFound: no backup is from before the moment, or there is none of that label.
        UsageError: `into` is the running cluster's folder.
        HardStop: the backup to begin from was taken from faulty pages.
    """
    if into is not None and into.resolve() == own_data.resolve():
        raise UsageError(
            f"{into} is the running cluster's own folder", hint="--in-place restores there."
        )
    backup = choose(repository, target, label)
    if backup.error:
        raise HardStop(
            f"{backup.label} was taken from pages with wrong checksums",
            hint="Choose an older one by --set; `flowrex-agent physical list` shows them.",
        )
    options = [f"--config={config}", f"--stanza={stanza}", f"--set={backup.label}"]
    options += _recovery(target, timeline)
    if into is None:
        # Files that are right already are left alone, which a checksum tells.
        options += ["--delta"]
    else:
        options += [
            f"--pg1-path={into}",
            "--archive-mode=off",
            f"--tablespace-map-all={into}.tablespaces",
        ]
    argv = (PROGRAM, *options, "--log-level-console=info", "restore")
    return Plan(argv, backup, target, into or own_data, into is None, database)


def choose(repository: Repository, target: Target, label: str | None = None) -> Backup:
    """Return the backup to begin from.

    Args:
        repository: what there is.
        target: the moment.
        label: the one that a person names; the newest one before the moment unless given.

    Raises:
        NotFound: no backup is from before the moment, or there is none of that label.
    """
    if label is not None:
        for backup in repository.backups:
            if backup.label == label:
                return backup
        raise NotFound(
            f"there is no backup {label}", hint="`flowrex-agent physical list` shows them."
        )
    lsn = target.text if target.kind == "lsn" else None
    if target.kind == "name":
        # Unknown for one that was not made by `mark`; the newest backup may be after it then.
        lsn = repository.mark(target.text)
    found = info.before(repository, lsn=lsn, time=target.time)
    if found is None:
        oldest = repository.backups[0] if repository.backups else None
        raise NotFound(
            f"no backup is from before {target}"
            + (f"; the oldest is {oldest.label}" if oldest else "; there is none at all"),
            hint="`flowrex-agent physical list` shows what can be restored.",
        )
    return found


def _recovery(target: Target, timeline: str | None) -> list[str]:
    """Return what tells where recovery stops; there the cluster opens for writing."""
    if target.kind == "end":
        options = ["--type=default"]
    elif target.kind == "immediate":
        options = ["--type=immediate", "--target-action=promote"]
    else:
        options = [f"--type={target.kind}", f"--target={target.text}", "--target-action=promote"]
    if timeline is not None:
        options += [f"--target-timeline={timeline}"]
    return options


def prepare(plan: Plan) -> None:
    """Make the folder that is to be filled, where it is not there.

    Raises:
        HardStop: PostgreSQL runs in it, or it holds something else.
        ConfigurationError: it can't be made.
    """
    if (plan.data / "postmaster.pid").exists():
        raise HardStop(
            f"PostgreSQL runs in {plan.data}, or was killed there",
            hint="Stop it first (systemctl stop postgresql). After a kill, make sure that no "
            "process is left, and remove postmaster.pid.",
        )
    if not plan.in_place and plan.data.exists() and any(plan.data.iterdir()):
        raise HardStop(f"{plan.data} is not empty", hint="Name a folder that is, or a new one.")
    try:
        plan.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"can't be made: {error.strerror}", path=plan.data) from error


def next_steps(plan: Plan) -> Iterator[str]:
    """Yield the commands that come after the files are there."""
    if plan.in_place:
        yield "systemctl start postgresql"
        yield "flowrex-agent physical backup full    # the new timeline needs one of its own"
        return
    yield (f'pg_ctl -D {plan.data} -o "-p 5433 -c listen_addresses= -k /tmp" -w -t 3600 start')
    yield f"psql -h /tmp -p 5433 -d {plan.database}"
