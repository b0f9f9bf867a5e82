-- name: fetch_who_blocks
-- Which sessions keep another one from going on; null when none does.
select pgflow.describe_sessions(pg_blocking_pids(:pid));
