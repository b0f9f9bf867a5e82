create function pgflow.get_run_counter(run_id uuid)
returns integer
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(
    (
      select snapshot.counter
      from pgflow.run_counter_snapshots as snapshot
      where snapshot.run_id = run.run_id
      order by snapshot.sequence_num desc
      limit 1
    ),
    -- A run that ended before Dagster had it never had a token.
    case when run.status not in ('queued', 'started', 'waiting') then 0 end
  )
  from pgflow.runs as run
  where run.run_id = get_run_counter.run_id
$$;

comment on function pgflow.get_run_counter(uuid) is
  'How many tokens of a run are left: 0 when and only when it is over, null before it is known';
