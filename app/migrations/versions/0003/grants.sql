-- Functions are closed to everybody by default; said here so that it stays so.
REVOKE ALL ON FUNCTION trading.expires_before(integer), trading.expired(integer),
    trading.delete_expired(integer, integer) FROM PUBLIC;

-- Two functions, and no table: it can't read what it deletes.
GRANT USAGE ON SCHEMA trading TO flowrex_retention;

GRANT EXECUTE ON FUNCTION trading.expired(integer), trading.delete_expired(integer, integer)
    TO flowrex_retention;
