-- What was deleted, when, by which login. Nobody deletes from this.
CREATE TABLE trading.retention_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    keep_days integer NOT NULL,
    before timestamptz NOT NULL,
    orders bigint NOT NULL,
    trades bigint NOT NULL,
    login text NOT NULL
);
