"""${message}."""

from __future__ import annotations

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# Where the release before does not work on the result: why. `flowrexctl rollback` asks then.
# IRREVERSIBLE = "drops orders.legacy_id; only a backup has it"
# Where it takes something away (docs/migrations.md): why nothing uses it any more.
# CONTRACTS = "orders.legacy_id: nothing has read it since 1.4.0"


def upgrade() -> None:
    """Change the schema; the release before must still work on the result."""
    ${upgrades if upgrades else "raise NotImplementedError"}
