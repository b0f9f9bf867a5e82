"""What happened, back in tables: Dagster's event log becomes rows, again and again the same.

Four places, in the order in which a run goes through them:

1. `layout`: where everything in a run stands before anything has happened, from its definitions.
2. `translate`: what Dagster saw becomes our event log.
3. `fold`: our event log adds up to rows.
4. `sync`: which runs are read when, in one transaction each; the sensor, and `rebuild`.

What comes before is in `dagster_pgflow.dagster_log`, which reads Dagster's records. The first three
are functions of their arguments: no clock, no database, no Dagster. Only so `rebuild` can make
years of rows again, with the code of today, and find that they are the same. Whether that is true
is tested with runs that earlier versions recorded (`tests/recorded`).
"""
