create function pgflow.delete_runs(run_ids uuid[]) returns bigint
language sql
set search_path to pg_catalog, pg_temp
as $$
  with deleted as (
    delete from pgflow.runs as run
    where run.run_id = any (delete_runs.run_ids)
      and run.status in ('completed', 'failed', 'cancelled')
    returning run.id, run.run_id, run.dagster_run_id
  ),
  events as (
    delete from pgflow.event_log as event
    using deleted
    where event.run_id = deleted.run_id
  ),
  -- With what triggers made of them.
  trigger_events as (
    delete from pgflow.trigger_events as event
    using deleted
    where event.run_id = deleted.run_id
  ),
  -- What is still to be told goes where the run's version of the flow said.
  deliveries as (
    delete from pgflow.webhook_deliveries as delivery
    using deleted
    where delivery.run_id = deleted.run_id and delivery.status <> 'pending'
  ),
  requests as (
    delete from pgflow.run_requests as request
    using deleted
    where request.run_id = deleted.run_id
  ),
  waits as (
    delete from pgflow.waits as wait
    using deleted
    where wait.run_id = deleted.run_id
  ),
  continuations as (
    delete from pgflow.run_continuations as continuation
    using deleted
    where continuation.run_id = deleted.run_id
    returning continuation.dagster_run_id
  ),
  -- Subflow steps of mode run have runs of their own in Dagster, and so may iterations of loops.
  dagster_runs as (
    select deleted.dagster_run_id from deleted
    union
    select continuations.dagster_run_id from continuations
    union
    select subrun.dagster_run_id
    from deleted
    join pgflow.subruns as subrun on subrun.parent_run_id = deleted.id
    union
    select (event.event_data ->> 'dagster_run_id')::uuid
    from deleted
    join pgflow.event_log as event using (run_id)
    where event.event_type = 'loop.iteration_started'
  ),
  outputs as (
    delete from pgflow.step_outputs as output
    using dagster_runs
    where output.dagster_run_id = dagster_runs.dagster_run_id
  ),
  -- The cursors stay: without them the sensors would find the runs anew. A sensor that is reading
  -- one of them now sees by the number of looks that it is late.
  cursors as (
    update pgflow.run_cursors as run_cursor
    set is_final = true, looks = run_cursor.looks + 1
    from (
      select deleted.dagster_run_id from deleted
      union all
      select continuations.dagster_run_id from continuations
    ) as gone
    where run_cursor.dagster_run_id = gone.dagster_run_id
  )
  select count(*) from deleted
$$;

comment on function pgflow.delete_runs(uuid[]) is
  'Deletes what is known of those of these runs that are over, and returns how many they were';
