-- The emergency as the database knows it: one row. Every process that sees a level raises it; only
-- the worker lowers it, and only with an index of Consul's key that is not older.
CREATE TABLE trading.emergency (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    level smallint NOT NULL CHECK (level BETWEEN 0 AND 4),
    index bigint NOT NULL,
    change bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE trading.emergency_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    level_before smallint NOT NULL,
    level_after smallint NOT NULL,
    index bigint NOT NULL,
    reason text NOT NULL,
    by text NOT NULL,
    process text NOT NULL,
    login text NOT NULL
);

INSERT INTO trading.emergency (level, index, change) VALUES (0, 0, 0);

-- Orders hold this lock shared until their transaction ends and a change takes it alone: when a
-- change has been made, no order that was judged before it is still to come. Advisory locks are fair,
-- so that a stream of orders can't keep a change waiting.
CREATE FUNCTION trading.emergency_level() RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'orders are placed at isolation level read committed, which sees a change'
            USING ERRCODE = 'FX005';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(7316502);
    RETURN (SELECT level FROM trading.emergency);
END $$;

CREATE FUNCTION trading.change_emergency(
    p_level smallint, p_index bigint, p_reason text, p_by text, p_process text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    v_change bigint;
BEGIN
    INSERT INTO trading.emergency_changes
        (level_before, level_after, index, reason, by, process, login)
    SELECT level, p_level, p_index, p_reason, p_by, p_process, session_user FROM trading.emergency
    RETURNING id INTO v_change;
    UPDATE trading.emergency
    SET level = p_level, index = p_index, change = v_change, since = clock_timestamp();
END $$;

-- Never lowers: a process that is behind can do no harm.
CREATE FUNCTION trading.raise_emergency(
    p_level smallint, p_index bigint, p_reason text, p_by text, p_process text
) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    v_now trading.emergency;
BEGIN
    SELECT * INTO v_now FROM trading.emergency;
    IF p_level = 0 OR p_level < v_now.level
        OR (p_level = v_now.level AND p_index <= v_now.index) THEN
        RETURN v_now.level;
    END IF;
    PERFORM pg_advisory_xact_lock(7316502);
    SELECT * INTO v_now FROM trading.emergency;
    IF p_level > v_now.level OR (p_level = v_now.level AND p_index > v_now.index) THEN
        PERFORM trading.change_emergency(
            p_level, greatest(p_index, v_now.index), p_reason, p_by, p_process);
    END IF;
    RETURN greatest(p_level, v_now.level);
END $$;

-- Lowers with what the key says: at an index that is not older than the one that raised it or, where
-- Consul lost its data and counts from the beginning, with a time that somebody wrote after it.
CREATE FUNCTION trading.lower_emergency(
    p_level smallint, p_index bigint, p_at timestamptz, p_reason text, p_by text, p_process text
) RETURNS smallint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    v_now trading.emergency;
BEGIN
    PERFORM pg_advisory_xact_lock(7316502);
    SELECT * INTO v_now FROM trading.emergency;
    IF p_level >= v_now.level THEN
        RETURN v_now.level;
    END IF;
    IF p_index < v_now.index AND (p_at IS NULL OR p_at <= v_now.since) THEN
        RAISE EXCEPTION 'index % is older than %, at which the emergency was raised',
            p_index, v_now.index USING ERRCODE = 'FX004';
    END IF;
    PERFORM trading.change_emergency(p_level, p_index, p_reason, p_by, p_process);
    RETURN p_level;
END $$;
