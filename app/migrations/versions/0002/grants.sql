-- Functions are closed to everybody by default; said here so that it stays so.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA trading FROM PUBLIC;

GRANT USAGE ON SCHEMA trading TO flowrex_worker;

GRANT SELECT ON trading.instruments, trading.paper_quotes, trading.positions, trading.orders,
    trading.trades, trading.emergency TO flowrex_app, flowrex_worker;

GRANT INSERT (idempotency_key, actor, symbol, side, kind, quantity, limit_price, reduce_only)
    ON trading.orders TO flowrex_app, flowrex_worker;

GRANT INSERT (order_id, price) ON trading.trades TO flowrex_app, flowrex_worker;

GRANT EXECUTE ON FUNCTION trading.lock_position(text), trading.cancel_order(uuid),
    trading.raise_emergency(smallint, bigint, text, text, text)
    TO flowrex_app, flowrex_worker;

-- The worker's alone.
GRANT EXECUTE ON FUNCTION
    trading.lower_emergency(smallint, bigint, timestamptz, text, text, text)
    TO flowrex_worker;

GRANT SELECT ON trading.emergency_changes, trading.flatten_steps TO flowrex_worker;

GRANT SELECT, INSERT (change, index, level, holder),
    UPDATE (fence, holder, ended_at, outcome) ON trading.flatten_runs TO flowrex_worker;

GRANT INSERT (change, fence, step, symbol, order_id, quantity, detail, holder)
    ON trading.flatten_steps TO flowrex_worker;
