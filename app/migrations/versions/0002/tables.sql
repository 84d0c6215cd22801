-- The paper market. An operator opens and closes it; the application reads it.
CREATE TABLE trading.paper_quotes (
    symbol text PRIMARY KEY REFERENCES trading.instruments,
    bid numeric(20, 10) NOT NULL CHECK (bid > 0),
    ask numeric(20, 10) NOT NULL CHECK (ask >= bid),
    tradable boolean NOT NULL DEFAULT true
);

-- One row for each instrument that was ever traded; its lock puts that instrument's orders in a row.
CREATE TABLE trading.positions (
    symbol text PRIMARY KEY REFERENCES trading.instruments,
    quantity numeric(20, 8) NOT NULL DEFAULT 0
        CONSTRAINT position_cap CHECK (abs(quantity) <= 5000000),
    average_price numeric(20, 10),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((quantity = 0) = (average_price IS NULL))
);

CREATE TABLE trading.orders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 8 AND 128),
    actor text NOT NULL CHECK (actor <> ''),
    symbol text NOT NULL REFERENCES trading.instruments,
    side text NOT NULL CHECK (side IN ('buy', 'sell')),
    kind text NOT NULL CHECK (kind IN ('market', 'limit')),
    quantity numeric(20, 8) NOT NULL
        CONSTRAINT order_cap CHECK (quantity > 0 AND quantity <= 1000000),
    limit_price numeric(20, 10) CHECK (limit_price > 0),
    reduce_only boolean NOT NULL,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'filled', 'cancelled')),
    created_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    CHECK ((kind = 'limit') = (limit_price IS NOT NULL)),
    CHECK ((status = 'open') = (closed_at IS NULL))
);

CREATE INDEX orders_open ON trading.orders (symbol) WHERE status = 'open';

CREATE INDEX orders_by_time ON trading.orders (created_at DESC);

-- What was filled: an order as a whole, once.
CREATE TABLE trading.trades (
    order_id uuid PRIMARY KEY REFERENCES trading.orders,
    symbol text NOT NULL REFERENCES trading.instruments,
    side text NOT NULL,
    quantity numeric(20, 8) NOT NULL,
    price numeric(20, 10) NOT NULL CHECK (price > 0),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
