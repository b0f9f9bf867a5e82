"""Derives the next migration from what has changed in `schema/`: `make migration NAME=...`.

Two empty databases are compared as `pg_dump` sees them: one was made by the migrations, one by the
schema files. `dump.py` splits a dump into its objects, `tables.py` compares two tables, and
`derive.py` brings the first database to the state of the second, statement by statement. What was
run there is the migration; what differs in the end is left to the author.
"""
