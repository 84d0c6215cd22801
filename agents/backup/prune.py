"""Letting go what retention lets go, so that whoever dies meanwhile leaves nothing half there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.backup import names, records
from agents.backup.catalog import Catalog, Rest
from agents.backup.psql import Tick
from agents.backup.retention import Decision, Policy, decide
from agents.clock import believed
from flowrex.errors import PermissionRefused

log = logging.getLogger(__name__)

# Longer than any backup takes: what is younger may still be under way.
_REST_AGE = timedelta(days=2)


@dataclass(frozen=True)
class Pruned:
    """What was done.

    Attributes:
        decisions: about each backup.
        deleted: the names of those that went.
        refused: those that the store does not let go yet, with its words; tried again next time.
        rests: what was left of backups that never were finished, and went.
    """

    decisions: tuple[Decision, ...]
    deleted: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    rests: tuple[str, ...] = ()

    @property
    def doubt(self) -> str:
        """Why the time itself is not believed, so that nothing went; empty where it is."""
        return next((one.reason for one in self.decisions if one.doubted), "")


def prune(
    catalog: Catalog,
    policy: Policy,
    now: datetime,
    *,
    dry_run: bool = False,
    tick: Tick = lambda: None,
    progress: Callable[[str], None] = lambda message: None,
) -> Pruned:
    """Delete what retention lets go. The caller holds the database's lock.

    Args:
        catalog: the backups.
        policy: how long they are kept.
        now: the time by the node's clock; the store's has to agree.
        dry_run: decide, and delete nothing.
        tick: called between two deletions; what it raises ends it.
        progress: told in sentences how far it is.
    """
    listing = catalog.list()
    written = listing.newest or now
    decisions = decide(listing.backups, now, policy, written=written)
    # Where the clock is in doubt, the age of a rest is too.
    trusted = not any(one.doubted for one in decisions)
    now = believed(now, written)
    rests = [one for one in listing.rests if trusted and now - one.newest > _REST_AGE]
    if dry_run:
        return Pruned(tuple(decisions), rests=tuple(one.name for one in rests))
    deleted, refused, gone = [], [], []
    for decision in decisions:
        tick()
        # Somebody may have held it since the list was made.
        if decision.keep or _held_now(catalog, decision.name):
            continue
        try:
            _delete(catalog, decision.name)
        except PermissionRefused as error:
            log.info("the store keeps a backup", extra={"backup": decision.name})
            refused.append((decision.name, error.message))
            continue
        log.info("a backup was deleted", extra={"backup": decision.name, "why": decision.reason})
        progress(f"{decision.name} was deleted: {decision.reason}")
        deleted.append(decision.name)
    for rest in rests:
        tick()
        if _delete_rest(catalog, rest):
            gone.append(rest.name)
    if trusted:
        _give_up_uploads(catalog, now)
    return Pruned(tuple(decisions), tuple(deleted), tuple(refused), tuple(gone))


def _give_up_uploads(catalog: Catalog, now: datetime) -> None:
    """Give up the parts that a killed agent left, which no list of objects shows."""
    s3 = catalog.s3()
    for upload in list(s3.open_uploads(catalog.bucket, catalog.folder())):
        if now - upload.begun > _REST_AGE:
            s3.abort_upload(catalog.bucket, upload)
            log.info("an upload that was never finished was given up", extra={"key": upload.key})


def _held_now(catalog: Catalog, name: str) -> bool:
    folder = catalog.folder(name)
    found = (
        records.from_name(entry.key.removeprefix(folder))
        for entry in catalog.s3().list(catalog.bucket, folder)
    )
    return records.held(one for one in found if one is not None)


def _delete(catalog: Catalog, name: str) -> None:
    # The manifest first: a backup is listed as long as it is whole.
    s3, folder = catalog.s3(), catalog.folder(name)
    versions = list(s3.versions(catalog.bucket, folder))
    first = [one for one in versions if one.key == folder + names.MANIFEST]
    for version in [*first, *(one for one in versions if one not in first)]:
        try:
            s3.delete(catalog.bucket, version.key, version.version_id)
        except PermissionRefused:
            if version in first:
                raise
            # The rest is found by its age later.
            log.info("the store keeps an object", extra={"key": version.key})


def _delete_rest(catalog: Catalog, rest: Rest) -> bool:
    s3 = catalog.s3()
    try:
        for version in list(s3.versions(catalog.bucket, catalog.folder(rest.name))):
            s3.delete(catalog.bucket, version.key, version.version_id)
    except PermissionRefused as error:
        log.info("the store keeps what is left", extra={"backup": rest.name, "why": error.message})
        return False
    log.info("what was left of a backup was deleted", extra={"backup": rest.name})
    return True
