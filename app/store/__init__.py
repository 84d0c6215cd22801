"""PostgreSQL: the pool with leased credentials, and the queries."""
