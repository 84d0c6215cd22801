"""tools/migrations.py: what a migration may do, what it has to say, and that ours do."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

_specification = importlib.util.spec_from_file_location(
    "tools_migrations", ROOT / "tools" / "migrations.py"
)
assert _specification is not None
assert _specification.loader is not None
linter = importlib.util.module_from_spec(_specification)
sys.modules["tools_migrations"] = linter  # its dataclass looks its module up
_specification.loader.exec_module(linter)

DROP = "ALTER TABLE trading.orders DROP COLUMN legacy"
INDEX = "CREATE INDEX by_actor ON trading.orders (actor)"


def rules(folder: Path, *statements: str, says: str = "") -> list[str]:
    """Return the rules that a migration with these statements breaks."""
    path = folder / "0009_it.py"
    body = "\n".join(f"    op.execute({one!r})" for one in statements)
    path.write_text(f'from alembic import op\nrevision = "0009"\n{says}\ndef upgrade():\n{body}\n')
    return [one.rule for one in linter.lint(path)]


def test_the_applications_own_pass() -> None:
    assert linter.main(linter.FOLDER) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE trading.orders ADD COLUMN note text",
        "ALTER TABLE trading.orders ADD COLUMN note text NOT NULL DEFAULT ''",
        "CREATE TABLE trading.notes (id bigint PRIMARY KEY, text text NOT NULL)",
        "GRANT SELECT ON trading.orders TO flowrex_app",
        "INSERT INTO trading.instruments (symbol) VALUES ('EUR_USD')",
    ],
)
def test_adding_is_allowed(tmp_path: Path, statement: str) -> None:
    assert rules(tmp_path, statement) == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        (DROP, "ban-drop-column"),
        ("DROP TABLE trading.orders", "ban-drop-table"),
        ("ALTER TABLE trading.orders RENAME COLUMN a TO b", "renaming-column"),
        ("ALTER TABLE trading.orders RENAME TO asks", "renaming-table"),
        ("ALTER TABLE trading.orders ALTER COLUMN q TYPE bigint", "changing-column-type"),
        ("ALTER TABLE trading.orders ADD COLUMN note text NOT NULL", "adding-required-field"),
        (INDEX, "require-concurrent-index-creation"),
        (
            "ALTER TABLE trading.orders ADD CONSTRAINT c CHECK (quantity > 1)",
            "constraint-missing-not-valid",
        ),
    ],
)
def test_what_the_release_before_does_not_survive_is_named(
    tmp_path: Path, statement: str, rule: str
) -> None:
    assert rules(tmp_path, statement) == [rule]


def test_what_a_new_table_gets_blocks_nobody(tmp_path: Path) -> None:
    table = "CREATE TABLE trading.notes (id bigint PRIMARY KEY, actor text)"
    assert rules(tmp_path, table, "CREATE INDEX n ON trading.notes (actor)") == []


def test_what_takes_away_says_so_and_that_it_is_final(tmp_path: Path) -> None:
    contracts = 'CONTRACTS = "nothing reads it since 1.4.0"\n'
    assert rules(tmp_path, DROP, says=contracts) == ["declaration"]
    assert rules(tmp_path, DROP, says=f'{contracts}IRREVERSIBLE = "only a backup has it"\n') == []


def test_what_blocks_says_why_that_is_short(tmp_path: Path) -> None:
    assert rules(tmp_path, INDEX, says='BLOCKS = "a dozen rows"\n') == []


@pytest.mark.parametrize("says", ['CONTRACTS = "why"\nIRREVERSIBLE = "why"\n', 'BLOCKS = "why"\n'])
def test_what_is_said_without_need_is_wrong(tmp_path: Path, says: str) -> None:
    assert rules(tmp_path, "SELECT 1", says=says) == ["declaration"]


def test_a_finding_shows_the_statement(tmp_path: Path) -> None:
    rules(tmp_path, "SELECT 1", DROP)
    (found,) = linter.lint(tmp_path / "0009_it.py")
    assert str(found).startswith("0009_it.py: ban-drop-column: Dropping a column")
    assert str(found).endswith(f"\n    {DROP};")


def test_statements_that_a_migration_executes_by_itself_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "0009_it.py"
    path.write_text(
        f"from alembic import op\ndef upgrade():\n    op.get_bind().exec_driver_sql({DROP!r})\n"
    )
    assert [one.rule for one in linter.lint(path)] == ["ban-drop-column"]
