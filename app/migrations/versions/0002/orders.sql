-- Lock an instrument's position until the transaction ends; nothing else of it happens meanwhile.
CREATE FUNCTION trading.lock_position(p_symbol text) RETURNS numeric
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    v_quantity numeric;
BEGIN
    INSERT INTO trading.positions (symbol) VALUES (p_symbol) ON CONFLICT DO NOTHING;
    SELECT quantity INTO v_quantity FROM trading.positions WHERE symbol = p_symbol FOR UPDATE;
    RETURN v_quantity;
END $$;

-- The last of the three locks: whatever the application believed, an order that adds risk does not
-- come in during an emergency, and one that says that it reduces does.
CREATE FUNCTION trading.admit_order() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    v_position numeric := trading.lock_position(NEW.symbol);
    v_level smallint := trading.emergency_level();
    v_change numeric := CASE NEW.side WHEN 'buy' THEN NEW.quantity ELSE -NEW.quantity END;
    v_resting numeric;
    v_exits numeric;
BEGIN
    IF NEW.status <> 'open' THEN
        RAISE EXCEPTION 'an order begins open' USING ERRCODE = 'FX005';
    END IF;
    IF (v_level >= 1 AND NOT NEW.reduce_only) OR (v_level >= 2 AND NEW.kind = 'limit') THEN
        RAISE EXCEPTION 'emergency level % refuses this order', v_level
            USING ERRCODE = 'FX001', DETAIL = v_level::text;
    END IF;
    SELECT coalesce(sum(quantity), 0), coalesce(sum(quantity) FILTER (WHERE reduce_only), 0)
    INTO v_resting, v_exits
    FROM trading.orders WHERE symbol = NEW.symbol AND side = NEW.side AND status = 'open';
    IF NEW.reduce_only THEN
        IF v_change * v_position >= 0 OR NEW.quantity + v_exits > abs(v_position) THEN
            RAISE EXCEPTION 'it would not only reduce the position' USING ERRCODE = 'FX002';
        END IF;
    ELSIF abs(v_position + v_change + sign(v_change) * v_resting)
        > greatest(5000000, abs(v_position)) THEN
        RAISE EXCEPTION 'the position would pass its cap' USING ERRCODE = 'FX003';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER admit BEFORE INSERT ON trading.orders
FOR EACH ROW EXECUTE FUNCTION trading.admit_order();

-- A fill names its order and its price; the rest is the order's.
CREATE FUNCTION trading.fill_order() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    v_order trading.orders;
    v_position trading.positions;
    v_level smallint;
    v_change numeric;
    v_after numeric;
BEGIN
    SELECT * INTO v_order FROM trading.orders WHERE id = NEW.order_id;
    PERFORM trading.lock_position(v_order.symbol);
    SELECT * INTO v_order FROM trading.orders WHERE id = NEW.order_id FOR UPDATE;
    IF v_order.id IS NULL OR v_order.status <> 'open' THEN
        RAISE EXCEPTION 'only an open order is filled' USING ERRCODE = 'FX005';
    END IF;
    v_level := trading.emergency_level();
    IF v_level >= 1 AND NOT v_order.reduce_only THEN
        RAISE EXCEPTION 'emergency level % refuses this fill', v_level
            USING ERRCODE = 'FX001', DETAIL = v_level::text;
    END IF;
    SELECT * INTO v_position FROM trading.positions WHERE symbol = v_order.symbol;
    v_change := CASE v_order.side WHEN 'buy' THEN v_order.quantity ELSE -v_order.quantity END;
    v_after := v_position.quantity + v_change;
    IF v_order.reduce_only
        AND (v_change * v_position.quantity >= 0 OR abs(v_change) > abs(v_position.quantity)) THEN
        RAISE EXCEPTION 'it would not only reduce the position' USING ERRCODE = 'FX002';
    END IF;
    UPDATE trading.positions SET
        quantity = v_after,
        average_price = CASE
            WHEN v_after = 0 THEN NULL
            WHEN v_position.quantity * v_change > 0 THEN
                (v_position.average_price * abs(v_position.quantity) + NEW.price * abs(v_change))
                / abs(v_after)
            WHEN v_position.quantity * v_after > 0 THEN v_position.average_price
            ELSE NEW.price
        END,
        updated_at = clock_timestamp()
    WHERE symbol = v_order.symbol;
    UPDATE trading.orders SET status = 'filled', closed_at = clock_timestamp()
    WHERE id = v_order.id;
    NEW.symbol := v_order.symbol;
    NEW.side := v_order.side;
    NEW.quantity := v_order.quantity;
    NEW.at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE TRIGGER fill BEFORE INSERT ON trading.trades
FOR EACH ROW EXECUTE FUNCTION trading.fill_order();

-- Cancelling is always allowed; an order that is not open any more stays as it is.
CREATE FUNCTION trading.cancel_order(p_order uuid) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    v_status text;
BEGIN
    UPDATE trading.orders SET status = 'cancelled', closed_at = clock_timestamp()
    WHERE id = p_order AND status = 'open';
    IF FOUND THEN
        RETURN 'cancelled';
    END IF;
    SELECT status INTO v_status FROM trading.orders WHERE id = p_order;
    RETURN CASE v_status WHEN 'cancelled' THEN 'already' ELSE v_status END;
END $$;
