"""The paper book, and the emergency's lock in the database.

The application's role can't write a position, fill an order twice or loosen anything: rows come in
through triggers that run as the schema's owner and ask everything again.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parent / "0002"

# The paper market's prices, as symbol, bid and ask.
_PRICES = (
    ("EUR_USD", "1.08490", "1.08510"),
    ("GBP_USD", "1.26980", "1.27010"),
    ("USD_JPY", "149.980", "150.010"),
    ("USD_CHF", "0.88190", "0.88220"),
    ("AUD_USD", "0.65480", "0.65510"),
    ("XAU_USD", "2649.800", "2650.200"),
    ("XAG_USD", "30.980", "31.020"),
)


def upgrade() -> None:
    """Make the book, its triggers and what each role may do with them."""
    connection = op.get_bind()
    for name in ("tables", "emergency", "orders", "flatten", "grants"):
        # Statements stand apart by an empty line, and have none inside.
        for statement in (_SQL / f"{name}.sql").read_text(encoding="utf-8").split("\n\n"):
            connection.exec_driver_sql(statement)
    for symbol, bid, ask in _PRICES:
        connection.exec_driver_sql(
            "INSERT INTO trading.paper_quotes (symbol, bid, ask)"  # noqa: S608 - constants
            f" VALUES ('{symbol}', {bid}, {ask})"
        )
