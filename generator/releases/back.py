"""The way back to a release: which job versions, and what no version brings back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from flowrex import backup_state, keys
from flowrex.consul import ConsulClient
from flowrex.errors import ConfigurationError, HardStop, UsageError
from flowrex.nomad import JobVersion
from generator.release import Release
from generator.releases.compare import kept
from generator.rollback import Target, runs
from generator.standing import Standing

_PRE_DEPLOY = "pre_deploy_"


@dataclass(frozen=True)
class Losses:
    """What a rollback leaves as it is.

    Attributes:
        migrations: what ran since, the oldest first, to why it can't be taken back (empty: the
            version before works on its result); None where no record says.
        backup: the backup from before them; empty where none is known.
        since: when the release ended that is gone back to; empty where that is not recorded.
        lacking: the migrations that the release was made for and the database has not, since it was
            restored.
        restored: the last restore of the database since; None where there was none.
    """

    migrations: dict[str, str] | None = field(default_factory=dict)
    backup: str = ""
    since: str = ""
    lacking: tuple[str, ...] = ()
    restored: Release | None = None

    @property
    def irreversible(self) -> dict[str, str]:
        """The migrations that can't be taken back."""
        return {name: why for name, why in (self.migrations or {}).items() if why}

    def sentences(self) -> list[str]:
        """Return what has to be said before anything is asked."""
        said = [f"{restored_since(self.restored)}."] if self.restored else []
        if self.lacking:
            said.append(
                f"It lacks what the release relies on: {', '.join(self.lacking)}. "
                "The job migrate brings it."
            )
        if self.migrations is None:
            return [*said, "Which migrations ran since is not recorded. They are not taken back."]
        harmless = [name for name, why in self.migrations.items() if not why]
        if harmless:
            said.append(
                f"The schema stays as it is, with what ran since: {', '.join(harmless)}. The "
                "release works on it."
            )
        for name, why in self.irreversible.items():
            said.append(f"Migration {name} can't be taken back: {why}")
        return said

    def restore(self, environment: str, database: str) -> str:
        """Return the command that brings the data from before back; empty without a backup."""
        if not self.backup:
            return ""
        return f"flowrexctl restore {environment} --to {self.backup} --database {database}"


@dataclass(frozen=True)
class Way:
    """The way back to a release.

    Attributes:
        release: where it leads.
        targets: the jobs that differ, in the order of deployment, each with its version then;
            None: the canary is given up, beside which that version still runs.
        stays: the jobs that the release did not have, or had stopped; they stay as they are.
    """

    release: Release
    targets: tuple[Target, ...]
    stays: tuple[str, ...]


def way(found: Sequence[Standing], release: Release, environment: str) -> Way:
    """Find the way back to a release.

    Args:
        found: the services as they are, in the order of deployment.
        release: where to.
        environment: its name, for the command.

    Raises:
        UsageError: the record does not say what ran, Nomad has forgotten a version, one was never
            healthy, or all of it is what runs already.
    """
    look = f"flowrexctl releases show {environment} {release.id}"
    if release.restored:
        raise UsageError(
            f"{release.id} is a restore of the database, and no release",
            hint=f"What was released: flowrexctl releases {environment}",
        )
    if not release.stands:
        raise UsageError(
            f"the record of {release.id} does not say which versions ran",
            hint=f"Name the version: flowrexctl rollback {environment} --to "
            f"{release.version or 'VERSION'}",
        )
    targets: list[Target] = []
    stays, wrong = [], []
    for one in found:
        stand = release.stands.get(one.name)
        version = kept(one.versions, stand) if stand else None
        if stand is None or (version is not None and version.stop):
            if one.current is not None and not one.current.stop:
                stays.append(one.name)
        elif version is None:
            wrong.append(f"Nomad has forgotten {one.name} version {stand['version']}")
        elif not version.proven:
            wrong.append(f"{one.name} version {version.version} was never healthy")
        elif not runs(one, version):
            targets.append((one, _target(one, version)))
    if wrong:
        raise UsageError(f"{release.id} can't come back: {'; '.join(wrong)}", hint=look)
    if not targets:
        raise UsageError(
            f"what {release.id} left is what runs already",
            hint=f"flowrexctl status {environment}",
        )
    return Way(release, tuple(targets), tuple(stays))


def _target(one: Standing, version: JobVersion) -> JobVersion | None:
    """Return the version to make anew, or None where it runs beside a canary that waits."""
    if not one.canary_waits:
        return version
    stable = next((each for each in one.versions if each.stable), None)
    return None if stable is not None and stable.version == version.version else version


def losses(records: Sequence[Release], targets: Sequence[Target]) -> Losses:
    """Return what stays as it is when jobs go back.

    Args:
        records: of the environment, the newest first.
        targets: what they go back to; of a canary that is given up, nothing is lost.
    """
    then = _origin(records, targets)
    if then is None or not records:
        return Losses({} if not any(version for _, version in targets) else _unknown(records))
    now, before = records[0].known_schema, then.known_schema
    restored = last_restore(records, then)
    if now is None or before is None:
        return Losses({} if now is None else None, restored=restored)
    migrations = now.since(before)
    backup = _backup(records, then, restored) if migrations else ""
    lacking = tuple(before.since(now))
    return Losses(migrations, backup, then.ended or then.started, lacking, restored)


def last_restore(records: Sequence[Release], then: Release) -> Release | None:
    """Return the newest restore of the database after a release.

    Args:
        records: of the environment, the newest first.
        then: the release.
    """
    return next((one for one in records if one.restored and one.id > then.id), None)


def restored_since(restore: Release) -> str:
    """Say which database there is since a restore, without a full stop."""
    said = restore.restored or {}
    revision = said.get("revision")
    schema = "which schema it has is not known"
    if revision is not None:
        schema = f"its schema was {revision or 'empty'} then"
    return (
        f"The database was restored since, on {restore.ended or restore.started} by {restore.who}, "
        f"from {said.get('backup')}; {schema}"
    )


def _unknown(records: Sequence[Release]) -> dict[str, str] | None:
    """Return that nothing is known, unless no migration was ever recorded."""
    return None if any(one.schema for one in records) else {}


def _origin(records: Sequence[Release], targets: Sequence[Target]) -> Release | None:
    """Return the oldest of the releases that the jobs go back to.

    That is for each job the newest record that left the version in question.
    """
    origins = []
    for standing, version in targets:
        if version is None:
            continue
        left = (
            one
            for one in records
            if one.stands.get(standing.name, {}).get("index") == version.job_modify_index
        )
        if (newest := next(left, None)) is not None:
            origins.append(newest)
    return min(origins, key=lambda one: one.id, default=None)


def _backup(records: Sequence[Release], then: Release, restored: Release | None) -> str:
    """Return the last backup from before the first migration since a release."""
    found = ""
    # Where the database was back at that schema, what was migrated before is over.
    again = restored is not None and restored.schema == then.schema
    begin = restored.id if restored is not None and again else then.id
    for one in sorted(records, key=lambda each: each.id):
        if one.id <= begin:
            continue
        found = one.backup or found
        if one.schema != then.schema:
            break
    return found


def with_published(found: Losses, consul: ConsulClient, database: str) -> Losses:
    """Name the backup that the agents have published, where no record names one.

    One from before the release that is gone back to lacks what came after it, and is not named.

    Args:
        found: what is lost.
        consul: where the agents publish.
        database: whose backups.
    """
    if found.backup or not found.irreversible:
        return found
    key = keys.backups(database)
    entry = consul.kv_get(key)
    if entry is None:
        return found
    with suppress(ConfigurationError):
        state = backup_state.parse(key, entry.value)
        for name, at in ((state.good, state.good_at), (state.newest, state.newest_at)):
            if name.startswith(_PRE_DEPLOY) and _moment(at) >= _moment(found.since):
                return replace(found, backup=name)
    return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def require_reversible(found: Losses, environment: str, database: str, again: str) -> None:
    """Refuse to go back over a migration that can't be taken back.

    Args:
        found: what is lost.
        environment: its name.
        database: its database's.
        again: the command that goes back all the same.

    Raises:
        HardStop: there is such a migration.
    """
    if not found.irreversible:
        return
    said = "; ".join(f"{name} ({why})" for name, why in found.irreversible.items())
    ways = []
    if command := found.restore(environment, database):
        ways.append(f"Bring the data from before it back: {command}")
    ways.append(f"Go back all the same: {again} --accept-irreversible")
    raise HardStop(f"a migration ran since that can't be taken back: {said}", hint="\n".join(ways))
