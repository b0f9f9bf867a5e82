create function pgflow.is_run_complete(run_id uuid)
returns boolean
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(pgflow.get_run_counter(run.run_id) = 0, false)
  from pgflow.runs as run
  where run.run_id = is_run_complete.run_id
$$;

comment on function pgflow.is_run_complete(uuid) is
  'Whether a run is over, however it ended; null when there is no such run';
