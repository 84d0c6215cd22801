-- One run for each change of the emergency that asks for one. A worker that takes a run over raises
-- its fence; one that was paused meanwhile is refused with the fence that it remembers.
CREATE TABLE trading.flatten_runs (
    change bigint PRIMARY KEY REFERENCES trading.emergency_changes,
    index bigint NOT NULL,
    level smallint NOT NULL CHECK (level BETWEEN 2 AND 4),
    fence bigint NOT NULL DEFAULT 1,
    holder text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('done', 'called_off')),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);

CREATE TABLE trading.flatten_steps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    change bigint NOT NULL REFERENCES trading.flatten_runs,
    fence bigint NOT NULL,
    step text NOT NULL
        CHECK (step IN ('taken', 'cancelled', 'closed', 'refused', 'done', 'called_off')),
    symbol text,
    order_id uuid,
    quantity numeric(20, 8),
    detail text NOT NULL DEFAULT '',
    holder text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
