"""What operators ask of physical backups by `flowrexctl backup --kind physical` and `restore --to`.

    physical_backup   type (full, diff, incr)          → the new backup
    physical_list                                      → backups, and from when to when there is WAL
    physical_verify                                    → good, problems
    physical_drill    to                               → from what, how long it took, rows
    physical_restore  to, confirm (the database's name), dry_run → what was lost, what was done

`to` is a time with its zone, an LSN, the name of a moment, `end` or `immediate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from agents.backup.assemble import backups_of, scratch_folder
from agents.backup.hands import Hands, handler, hands_of
from agents.backup.restore import confirmed
from agents.backup.work import Backups
from agents.context import Context
from agents.physical import alone
from agents.physical.moments import Moments
from agents.physical.stanza import Stanza
from agents.requests.handler import Handling, Progress, Refused, only
from flowrex.errors import FlowrexError, ServerRefused
from flowrex.node_requests import Request
from flowrex.pgbackrest import BackupType

_MOST_LISTED = 200
_TYPES: tuple[BackupType, ...] = get_args(BackupType)


def moments_of(context: Context) -> Moments:
    """Return what the agent's surroundings make of it."""
    settings = context.settings
    return Moments(
        stanza=Stanza(settings),
        node=context.node,
        consul=context.consul,
        scratch=scratch_folder(settings.backup, context.state("backup")) / "physical",
        bin_dir=settings.backup.postgres.bin_dir,
        now=context.clock.now,
    )


def handlings(make: Callable[[Context], Moments] = moments_of) -> dict[str, Handling]:
    """Return how each kind is done, but for the restore.

    Args:
        make: makes the work of the agent's surroundings.
    """

    return {
        "physical_backup": Handling(handler(make, _backup)),
        "physical_list": Handling(handler(make, _list), resumes=True),
        "physical_verify": Handling(handler(make, _verify), resumes=True),
        "physical_drill": Handling(handler(make, _drill), resumes=True),
    }


def restoring(
    make: Callable[[Context], Moments] = moments_of,
    backups: Callable[[Context], Backups] = backups_of,
) -> dict[str, Handling]:
    """Return how a restore to a moment is done: where logical backups are switched on, too.

    Args:
        make: makes the work of the agent's surroundings.
        backups: makes the database's, whose logins and swap a restore needs.
    """

    def handle(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        hands = hands_of(request, progress)
        return _restore(make(context), backups(context), request.arguments, hands)

    return {"physical_restore": Handling(handle)}


def _backup(moments: Moments, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "type")
    wanted = asked.get("type", "diff")
    kind = next((one for one in _TYPES if one == wanted), None)
    if kind is None:
        raise Refused(f"{wanted!r} is no type of a backup; expected one of {', '.join(_TYPES)}")
    begun = moments.now()
    with moments.locked(f"{kind} backup", hands) as tick:
        hands.say(f"taking a {kind} backup of {moments.stanza.settings.data_dir}")
        work = moments.stanza.backup(kind, reason=f"asked by {hands.by}")
        alone.in_thread(work, tick)
    newest = moments.repository(hands).newest
    if newest is None:
        raise ServerRefused(
            "the backup was taken from pages with wrong checksums, and is none",
            hint="Look at PostgreSQL's disks: flowrexctl backup list ENV --kind physical",
        )
    taken = round((moments.now() - begun).total_seconds(), 1)
    return {**newest.as_document(), "name": newest.label, "seconds": taken}


def _list(moments: Moments, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked)
    found = moments.repository(hands)
    return {
        "stanza": moments.stanza.name,
        "problem": found.problem,
        "oldest_wal": found.oldest_wal,
        "newest_wal": found.newest_wal,
        "count": len(found.backups),
        "backups": [one.as_document() for one in found.backups[-_MOST_LISTED:]],
    }


def _verify(moments: Moments, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked)
    # Without the lock: it only reads, for hours maybe, and a backup may be taken meanwhile.
    found = alone.in_thread(moments.stanza.verify(), hands.tick)
    said = "every byte of every backup and of the WAL was read"
    return {
        "name": f"the repository of {moments.stanza.name}",
        "good": found.good,
        "problems": list(found.problems),
        "text": said if found.good else "; ".join(found.problems),
    }


def _drill(moments: Moments, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "to")
    return moments.drill(asked.get("to", "end"), hands)


def _restore(
    moments: Moments, backups: Backups, asked: Mapping[str, str], hands: Hands
) -> Mapping[str, Any]:
    only(asked, "to", "confirm", "dry_run")
    if not (to := asked.get("to", "")):
        raise Refused("a restore to a moment needs `to`")
    own = moments.stanza.settings.database
    if own != backups.database:
        raise Refused(
            f"physical.database is {own}, and backup.postgres.database is {backups.database}",
            hint="Name the same in both sections of the agent's configuration.",
        )
    # Before anything is confirmed: that there is such a moment at all.
    said = moments.preview(to, hands)
    if asked.get("dry_run", "") == "true":
        return {**said, "database": backups.database}
    try:
        confirmed(backups.database, asked.get("confirm", ""))
    except FlowrexError as error:
        raise Refused(error.message, hint="Give `confirm` with the database's name.") from error
    return moments.restore(to, backups, hands)
