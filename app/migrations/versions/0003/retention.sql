-- Before when a record has expired. Five years are the least, whatever a setting says: an investment
-- firm keeps its orders and transactions for so long (Regulation (EU) 600/2014, article 25(1)).
CREATE FUNCTION trading.expires_before(p_keep_days integer) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF p_keep_days IS NULL OR p_keep_days < 1827 THEN
        RAISE EXCEPTION 'records are kept for 1827 days at least, not for %', p_keep_days
            USING ERRCODE = 'FX006';
    END IF;
    RETURN now() - make_interval(days => p_keep_days);
END $$;

CREATE FUNCTION trading.expired(p_keep_days integer)
RETURNS TABLE (before timestamptz, orders bigint, trades bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH gone AS (
        SELECT o.id, e.before
        FROM (SELECT trading.expires_before(p_keep_days) AS before) AS e
        JOIN trading.orders AS o ON o.created_at < e.before AND o.closed_at < e.before
    )
    SELECT trading.expires_before(p_keep_days), count(*),
        count(*) FILTER (WHERE EXISTS (SELECT FROM trading.trades AS t WHERE t.order_id = gone.id))
    FROM gone
$$;

-- Closed orders and their fills, the oldest first, a part at a time so that no lock is held for
-- long. Positions hold what the fills came to. An order that is still open stays, however old it is.
CREATE FUNCTION trading.delete_expired(p_keep_days integer, p_most integer)
RETURNS TABLE (orders bigint, trades bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    v_before timestamptz := trading.expires_before(p_keep_days);
    v_level smallint := trading.emergency_level();
    v_ids uuid[];
BEGIN
    IF p_most IS NULL OR p_most NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'from 1 to 10000 orders are deleted at once, not %', p_most
            USING ERRCODE = 'FX005';
    END IF;
    IF v_level >= 1 THEN
        RAISE EXCEPTION 'nothing is deleted at emergency level %', v_level
            USING ERRCODE = 'FX001', DETAIL = v_level::text;
    END IF;
    SELECT array_agg(o.id) INTO v_ids FROM (
        SELECT id FROM trading.orders
        WHERE created_at < v_before AND closed_at < v_before
        ORDER BY created_at LIMIT p_most FOR UPDATE
    ) AS o;
    IF v_ids IS NULL THEN
        RETURN QUERY SELECT 0::bigint, 0::bigint;
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM trading.orders WHERE created_at BETWEEN v_before AND now()) THEN
        RAISE EXCEPTION 'every order has expired, which a wrong clock would say as well'
            USING ERRCODE = 'FX007';
    END IF;
    DELETE FROM trading.trades AS t WHERE t.order_id = ANY (v_ids);
    GET DIAGNOSTICS trades = ROW_COUNT;
    DELETE FROM trading.orders AS o WHERE o.id = ANY (v_ids);
    GET DIAGNOSTICS orders = ROW_COUNT;
    INSERT INTO trading.retention_runs (keep_days, before, orders, trades, login)
    VALUES (p_keep_days, v_before, orders, trades, session_user);
    RETURN NEXT;
END $$;
