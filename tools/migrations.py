"""Whether each migration leaves the stable version's code working: expand first, contract later.

While a canary runs, the old code and the new one share one database, and a rollback brings the old
code back. So a migration may add what new code needs, and may take away only what no code of the
release before it uses any more. One that takes something away says so:

    CONTRACTS = "orders.legacy_id: nothing has read it since 1.4.0"
    IRREVERSIBLE = "drops orders.legacy_id; only a backup has it"

One that keeps others from a table for as long as it works says why that is short:

    BLOCKS = "an index on instruments, which has some dozens of rows"

Each migration is run on a recorder, without a database, and its SQL is judged by squawk.
Usage: python tools/migrations.py [FOLDER]
"""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "app" / "migrations" / "versions"
CONFIGURATION = 3

# What code that runs may still use, or may not know of.
CONTRACTING = frozenset({
    "adding-not-nullable-field", "adding-required-field", "ban-drop-column", "ban-drop-table",
    "ban-truncate-cascade", "changing-column-type", "renaming-column", "renaming-table",
})  # fmt: skip
# What keeps others from a table that is in use.
BLOCKING = frozenset({
    "constraint-missing-not-valid", "disallowed-unique-constraint",
    "require-concurrent-index-creation", "require-concurrent-index-deletion",
})  # fmt: skip
# app/migrations/env.py sets it for every migration, so that nobody waits for a table for long.
_PROLOGUE = "SET LOCAL lock_timeout = '10s';\n\n"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a migration.

    Attributes:
        path: the migration.
        rule: squawk's name for it, or `declaration`.
        message: what is wrong.
        statement: the line of SQL; empty for a declaration.
    """

    path: Path
    rule: str
    message: str
    statement: str = ""

    def __str__(self) -> str:
        where = f"\n    {self.statement}" if self.statement else ""
        return f"{self.path.name}: {self.rule}: {self.message}{where}"


class _Recorder:
    """Stands in for the connection: it writes down what would be executed."""

    def __init__(self, sql: io.StringIO) -> None:
        self._sql = sql

    def exec_driver_sql(self, statement: str, *_: Any) -> None:
        self._sql.write(f"{statement.strip().rstrip(';')};\n\n")

    execute = exec_driver_sql


def sql_of(migration: ModuleType) -> str:
    """Return the SQL that a migration executes."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    sql = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": sql}
    )
    # What `op.get_bind()` gives, where a migration executes by itself.
    context.impl.connection = _Recorder(sql)  # type: ignore[assignment]
    with Operations.context(context):
        migration.upgrade()
    return sql.getvalue()


def lint(path: Path) -> list[Finding]:
    """Return what is wrong with a migration file."""
    spec = importlib.util.spec_from_file_location(f"migration_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    judged = _judged(path, _PROLOGUE + sql_of(migration))
    findings = [
        *_declared(path, judged, CONTRACTING, "CONTRACTS", getattr(migration, "CONTRACTS", "")),
        *_declared(path, judged, BLOCKING, "BLOCKS", getattr(migration, "BLOCKS", "")),
    ]
    if getattr(migration, "CONTRACTS", "") and not getattr(migration, "IRREVERSIBLE", ""):
        text = "what CONTRACTS takes away needs IRREVERSIBLE, too"
        findings.append(Finding(path, "declaration", text))
    return findings


def _declared(
    path: Path, judged: list[Finding], rules: frozenset[str], name: str, why: str
) -> list[Finding]:
    """Return what is done and not declared, or declared and not done."""
    found = [one for one in judged if one.rule in rules]
    if not why:
        return found
    if found:
        return []
    return [Finding(path, "declaration", f"{name} is said, and nothing is there that needs it")]


def _judged(path: Path, sql: str) -> list[Finding]:
    squawk = Path(sys.executable).with_name("squawk")
    command = [str(squawk), "--reporter", "json", "--assume-in-transaction"]
    done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"squawk can't judge {path}: {done.stderr or done.stdout}") from None
    lines = sql.splitlines()
    return [
        Finding(path, one["rule_name"], one["message"], lines[one["line"]].strip()) for one in found
    ]


def main(folder: Path) -> int:
    """Judge every migration of a folder, and return the exit status."""
    paths = sorted(one for one in folder.glob("*.py") if one.name != "__init__.py")
    findings = [finding for path in paths for finding in lint(path)]
    for finding in findings:
        sys.stderr.write(f"{finding}\n")
    if findings:
        sys.stderr.write(
            "The code of the release before would not find what it needs. Add first, and take away "
            "in a later release: docs/migrations.md\n"
        )
    return CONFIGURATION if findings else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
