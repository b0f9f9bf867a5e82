"""PostgreSQL: the only layer that knows SQL."""
