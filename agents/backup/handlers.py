"""What operators ask by `flowrexctl backup` and `restore`: a function for each kind of request.

    backup   reason (manual, pre_deploy, emergency), name   → name, bytes, seconds
    list                                                    → backups
    show     name                                           → the manifest and its records
    verify   name                                           → name, what was found
    drill    name                                           → name, what was found
    restore  name, confirm (the database's name), dry_run   → what was lost, what was done
    hold     name, why      release  name, why              → name

`name` may be `newest`. What an operator has to confirm is `confirm`, and never implied.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from agents.backup import names, restore, view
from agents.backup.assemble import backups_of
from agents.backup.hands import Hands, handler
from agents.backup.loss import loss
from agents.backup.work import Backups
from agents.context import Context
from agents.requests.handler import Handling, Refused, only
from flowrex.errors import FlowrexError

log = logging.getLogger(__name__)

_MOST_LISTED = 200


def handlings(make: Callable[[Context], Backups] = backups_of) -> dict[str, Handling]:
    """Return how each kind is done.

    Args:
        make: makes the work of the agent's surroundings.
    """

    return {
        "backup": Handling(handler(make, _backup)),
        "list": Handling(handler(make, _list), resumes=True),
        "show": Handling(handler(make, _show), resumes=True),
        "verify": Handling(handler(make, _verify), resumes=True),
        "drill": Handling(handler(make, _drill), resumes=True),
        "restore": Handling(handler(make, _restore)),
        "hold": Handling(handler(make, _hold), resumes=True),
        "release": Handling(handler(make, _release), resumes=True),
    }


def _backup(backups: Backups, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "reason", "name")
    # What stands after the first word is for the log: the emergency names its change there.
    reason, _, detail = asked.get("reason", "manual").partition(" ")
    if detail:
        log.info("a backup is asked for", extra={"reason": reason, "detail": detail})
    if reason not in names.REASONS:
        raise Refused(
            f"{reason!r} is no reason for a backup; expected one of {', '.join(names.REASONS)}"
        )
    manifest = backups.take(reason, hands, name=asked.get("name", ""))
    assert manifest is not None
    taken = (manifest.completed_at - manifest.started_at).total_seconds()
    return {"name": manifest.name, "bytes": manifest.stored_size, "seconds": round(taken, 1)}


def _list(backups: Backups, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked)
    listing = backups.list()
    shown = listing.backups[-_MOST_LISTED:]
    return {
        "database": backups.database,
        "count": len(listing.backups),
        "backups": [view.line(one) for one in shown],
    }


def _show(backups: Backups, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "name")
    backup = backups.list().find(asked.get("name", "newest"))
    return view.whole(backup, backups.catalog.records(backup))


def _verify(backups: Backups, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "name")
    name = backups.list().find(asked.get("name", "newest")).name
    return {"name": name, **view.record(backups.verify(name, hands))}


def _drill(backups: Backups, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "name")
    name = backups.list().find(asked.get("name", "newest")).name
    return {"name": name, **view.record(backups.drill(name, hands))}


def _restore(backups: Backups, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "name", "confirm", "dry_run")
    manifest = backups.catalog.read(backups.list().find(asked.get("name", "newest")).name)
    dry_run = asked.get("dry_run", "") == "true"
    if not dry_run:
        try:
            restore.confirmed(backups.database, asked.get("confirm", ""))
        except FlowrexError as error:
            raise Refused(error.message, hint="Give `confirm` with the database's name.") from error
    with backups.target(hands) as target:
        lost = loss(manifest.snapshot_at, manifest.state, target, backups.database)
        said = {"name": manifest.name, "loss": lost.document()}
        said["sentences"] = lost.sentences(backups.now())
        if dry_run:
            return said
        return {**said, **backups.restore(manifest.name, target, hands).document()}


def _hold(backups: Backups, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "name", "why")
    name = backups.list().find(asked.get("name", "newest")).name
    backups.hold(name, asked.get("why", ""), hands)
    return {"name": name}


def _release(backups: Backups, asked: Mapping[str, str], hands: Hands) -> Mapping[str, Any]:
    only(asked, "name", "why")
    name = backups.list().find(asked.get("name", "newest")).name
    backups.release(name, asked.get("why", ""), hands)
    return {"name": name}
