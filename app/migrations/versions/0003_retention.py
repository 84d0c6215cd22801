"""The end of old records: what the job `retention` may do, and nothing else may."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parent / "0003"


def upgrade() -> None:
    """Make the record of deletions, the functions that delete, and the right to call them."""
    connection = op.get_bind()
    for name in ("tables", "retention", "grants"):
        # Statements stand apart by an empty line, and have none inside.
        for statement in (_SQL / f"{name}.sql").read_text(encoding="utf-8").split("\n\n"):
            connection.exec_driver_sql(statement)
