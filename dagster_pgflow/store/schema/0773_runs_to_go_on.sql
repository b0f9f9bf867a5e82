create function pgflow.runs_to_go_on(
  lease interval,
  wanted uuid default null,
  in_queue boolean default null,
  own_log text default null
)
returns table (run_id uuid, since timestamptz)
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  moment constant timestamptz := clock_timestamp();
  others constant text[] := pgflow.other_logs(own_log);
begin
  return query
  select ready.run_id, min(ready.since) as since
  from (
    select continuation.run_id, continuation.created_at as since
    from pgflow.run_continuations as continuation
    where continuation.ended_at is null
    union all
    select wait.run_id, wait.closed_at
    from pgflow.waits as wait
    where wait.status <> 'open' and wait.taken_at is null
    union all
    select wait.run_id, wait.due_at
    from pgflow.waits as wait
    where wait.status = 'open' and wait.due_at <= moment
  ) as ready
  where (wanted is null or ready.run_id = wanted)
    and exists (
      select from pgflow.runs as run where run.run_id = ready.run_id and run.status = 'waiting'
    )
    and (
      others = '{}'
      or not exists (
        select
        from pgflow.runs as run
        join pgflow.run_cursors as known on known.dagster_run_id = run.dagster_run_id
        where run.run_id = ready.run_id and known.log = any (others)
      )
    )
    and not exists (
      select
      from pgflow.run_continuations as under_way
      where under_way.run_id = ready.run_id
        and under_way.ended_at is null
        and (
          under_way.claimed_at > moment - lease
          or under_way.not_before > moment
          or (under_way.needs_queue and not in_queue)
        )
    )
  group by ready.run_id
  order by since, ready.run_id;
end
$$;

comment on function pgflow.runs_to_go_on(interval, uuid, boolean, text) is
  'The runs that wait and can go on, and since when, the oldest first; with an id, whether that one can; without those for the queue, if asked, and without those that another Dagster has than the given one';
