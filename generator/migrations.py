"""The schema's migrations as their files say them, read without running any.

A migration file names itself and the one before it. One that can't be taken back says so, and why:

    IRREVERSIBLE = "drops orders.legacy_id; only a backup has it"

That is for people who go back to an earlier release: the code of that release does not find what it
needs, and only a restore brings it back.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowrex.errors import ConfigurationError

FOLDER = Path("app", "migrations", "versions")
_NAMES = ("revision", "down_revision", "IRREVERSIBLE")


@dataclass(frozen=True)
class Schema:
    """How far a database's schema is.

    Attributes:
        revision: the newest migration.
        irreversible: each migration up to it, the oldest first, to why it can't be taken back;
            empty where nothing stands against it.
    """

    revision: str
    irreversible: Mapping[str, str] = field(default_factory=dict)

    def since(self, earlier: Schema) -> dict[str, str]:
        """Return the migrations that an earlier schema has not seen, like `irreversible`."""
        return {
            name: why for name, why in self.irreversible.items() if name not in earlier.irreversible
        }

    def at(self, revision: str) -> Schema | None:
        """Return the schema as it was at a migration up to it; None where that is none of these.

        Args:
            revision: the migration's; empty: before the first.
        """
        names = list(self.irreversible)
        if revision and revision not in names:
            return None
        until = names[: names.index(revision) + 1] if revision else []
        return Schema(revision, {name: self.irreversible[name] for name in until})


def read(root: Path) -> Schema | None:
    """Return the schema that a project's migrations lead to; None where it has none.

    Args:
        root: the project.

    Raises:
        ConfigurationError: a file is no migration, or they are no chain.
    """
    found: dict[str | None, tuple[str, str, Path]] = {}
    for path in sorted((root / FOLDER).glob("*.py")):
        if path.name == "__init__.py":
            continue
        said = _constants(path)
        before = said.get("down_revision")
        if before in found:
            raise ConfigurationError(
                f"comes after {before}, as {found[before][2].name} does",
                path=path,
                hint="Migrations are one chain; let one of the two come after the other.",
            )
        name, why = said.get("revision"), said.get("IRREVERSIBLE") or ""
        if name is None:
            raise ConfigurationError("names no revision", path=path)
        found[before] = (name, why, path)
    chain: dict[str, str] = {}
    last: str | None = None
    while last in found:
        last, why, path = found.pop(last)
        if last in chain:
            break
        chain[last] = why
    if found:
        path = next(iter(found.values()))[2]
        raise ConfigurationError("comes after a migration that is not there", path=path)
    return Schema(last, chain) if last is not None else None


def _constants(path: Path) -> dict[str, str | None]:
    """Return what a file assigns to the names that count; they must be written out."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigurationError(f"can't be read: {error}", path=path) from error
    said: dict[str, str | None] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in _NAMES:
                value = getattr(statement.value, "value", statement)
                if not (value is None or isinstance(value, str)):
                    raise ConfigurationError(
                        f"{target.id} must be a text", path=path, line=statement.lineno
                    )
                said[target.id] = value
    return said
