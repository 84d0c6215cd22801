"""The instruments that can be traded."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE trading.instruments (
    symbol text PRIMARY KEY CHECK (symbol ~ '^[A-Z0-9]{2,10}_[A-Z0-9]{2,10}$'),
    name text NOT NULL CHECK (name <> ''),
    asset_class text NOT NULL CHECK (asset_class IN ('forex', 'metal', 'index', 'crypto')),
    base text NOT NULL,
    quote text NOT NULL,
    price_precision smallint NOT NULL CHECK (price_precision BETWEEN 0 AND 10),
    lot_size numeric(20, 8) NOT NULL CHECK (lot_size > 0),
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (symbol = base || '_' || quote)
)
"""

_ROWS = """
INSERT INTO trading.instruments
    (symbol, name, asset_class, base, quote, price_precision, lot_size)
VALUES
    ('EUR_USD', 'Euro / US Dollar', 'forex', 'EUR', 'USD', 5, 100000),
    ('GBP_USD', 'Pound Sterling / US Dollar', 'forex', 'GBP', 'USD', 5, 100000),
    ('USD_JPY', 'US Dollar / Japanese Yen', 'forex', 'USD', 'JPY', 3, 100000),
    ('USD_CHF', 'US Dollar / Swiss Franc', 'forex', 'USD', 'CHF', 5, 100000),
    ('AUD_USD', 'Australian Dollar / US Dollar', 'forex', 'AUD', 'USD', 5, 100000),
    ('XAU_USD', 'Gold / US Dollar', 'metal', 'XAU', 'USD', 3, 100),
    ('XAG_USD', 'Silver / US Dollar', 'metal', 'XAG', 'USD', 5, 5000)
"""


def upgrade() -> None:
    """Make the schema, its first table and what the application may do with it."""
    op.execute("CREATE SCHEMA IF NOT EXISTS trading")
    op.execute(_TABLE)
    op.execute(_ROWS)
    # The application reads what can be traded; changing that is an operator's work.
    op.execute("GRANT USAGE ON SCHEMA trading TO flowrex_app")
    op.execute("GRANT SELECT ON trading.instruments TO flowrex_app")
    # New schemas are closed to others by default; said here so that it stays so.
    op.execute("REVOKE ALL ON SCHEMA migrations FROM PUBLIC")
