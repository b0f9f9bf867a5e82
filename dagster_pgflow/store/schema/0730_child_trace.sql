-- What a step is told that goes on after a subflow failed, for any subrun: which of its steps
-- ended, in the order in which they began. Steps further inside are named by their paths.
create function pgflow.child_trace(subrun_id bigint)
returns table (step text, status text, duration_ms bigint, output jsonb, error text)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with recursive inside as (
    select subrun.subrun_id
    from pgflow.subruns as subrun
    where subrun.subrun_id = child_trace.subrun_id
    union all
    select nested.subrun_id
    from inside
    join pgflow.subruns as nested on nested.parent_subrun_id = inside.subrun_id
  ), around as (
    -- The steps of the iterations of a loop belong to the subrun too, further inside.
    select min(length(own.step_path) - length(own.step_slug)) as length
    from pgflow.step_states as own
    where own.subrun_id = child_trace.subrun_id
  )
  select
    substr(ended.step_path, around.length + 1),
    ended.status,
    coalesce(round(extract(epoch from tried.ended_at - tried.began_at) * 1000), 0)::bigint,
    case ended.status when 'completed' then ended.output end,
    case ended.status when 'failed' then ended.error_message end
  from inside
  join pgflow.step_states as ended on ended.subrun_id = inside.subrun_id
  cross join around
  cross join lateral (
    select
      min(task.started_at) as began_at,
      max(coalesce(task.completed_at, task.failed_at)) as ended_at
    from pgflow.step_tasks as task
    where task.run_id = ended.run_id
      and task.step_path = ended.step_path
      and task.status in ('completed', 'failed')
      and task.started_at is not null
  ) as tried
  where ended.status in ('completed', 'failed', 'skipped')
    -- For a loop the steps of its iterations count, of which the last one is the loop again.
    and (
      ended.step_type <> 'loop'
      or ended.step_path ~ concat('(^|\.)', ended.step_slug, '\[\d+\]\.', ended.step_slug, '$')
    )
    -- A subflow step speaks for itself only when it failed and nothing inside it did that was not
    -- caught there.
    and (
      ended.step_type <> 'subflow'
      or ended.status = 'failed' and not exists (
        select
        from pgflow.subruns as nested
        join pgflow.step_states as cause on cause.subrun_id = nested.subrun_id
        where nested.parent_subrun_id = inside.subrun_id
          and (
            starts_with(cause.step_path, concat(ended.step_path, '.'))
            or starts_with(cause.step_path, concat(ended.step_path, '['))
          )
          and cause.status = 'failed'
          and not exists (
            select
            from pgflow.event_log as failure
            where failure.run_id = cause.run_id
              and failure.event_type = 'step.failed'
              and failure.correlation_id = cause.step_path
              and failure.event_data ->> 'on_failure' is not null
          )
      )
    )
  order by tried.began_at, tried.ended_at, ended.skipped_at, ended.step_path collate "C";
$$;

comment on function pgflow.child_trace is
  'What the steps of a subrun did, in the order in which they began';
