"""Where a change comes from: why, and from which state of the project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from generator import git, migrations
from generator.migrations import Schema

# What a deployment is made from.
_SOURCES = ("jobs", "consul-templates", "vault-policies", "app", "frontend", "flowrex")


@dataclass(frozen=True)
class Origin:
    """What a release's record says of where it comes from.

    Attributes:
        reason: why, in the words of the person.
        revision: the project's commit, `+changes` where files differ from it,
            `+unknown` where git can't tell; None outside git.
        schema: how far its migrations bring the database; None where that is not asked.
    """

    reason: str | None = None
    revision: str | None = None
    schema: Schema | None = None


@dataclass(frozen=True)
class MadeFrom:
    """The state of the project that job specs were rendered from.

    Attributes:
        revision: as in `Origin`.
        tree: the same, where each of the project's files counts, as the tests are of all of them.
        schema: as in `Origin`.
    """

    revision: str | None
    tree: str | None
    schema: Schema | None

    def origin(self, reason: str | None) -> Origin:
        """Return the origin of a change that is made with such specs."""
        return Origin(reason or None, self.revision, self.schema)


def made_from(root: Path) -> MadeFrom:
    """Return the state of a project's folder.

    Args:
        root: the project.

    Raises:
        ConfigurationError: the migrations are no chain.
    """
    return MadeFrom(git.revision(root, _SOURCES), git.revision(root, (".",)), migrations.read(root))


def of_project(root: Path, reason: str | None, *, migrates: bool) -> Origin:
    """Return the origin of a change that is made from a project's folder.

    Args:
        root: the project.
        reason: why; None where nobody said.
        migrates: whether the change may run the migrations, so that they count.

    Raises:
        ConfigurationError: the migrations are no chain.
    """
    schema = migrations.read(root) if migrates else None
    return Origin(reason or None, git.revision(root, _SOURCES), schema)
