-- name: fetch_latest_runs
-- The newest runs, all or those of one flow or status.
select
  run.run_id, run.dagster_run_id, run.flow_slug, run.flow_version, run.status, run.input,
  run.output, run.error_message, run.retry_of, run.created_at, run.started_at,
  coalesce(run.completed_at, run.failed_at) as ended_at,
  case run.status
    when 'waiting' then (
      select string_agg(step.waiting_for, '; ' order by step.waiting_since, step.step_path)
      from pgflow.step_states as step
      where step.run_id = run.run_id and step.status = 'waiting'
    )
  end as waiting_for,
  clock_timestamp() as seen_at
from pgflow.runs as run
where (cast(:flow_slug as text) is null or run.flow_slug = :flow_slug)
  and (cast(:status as text) is null or run.status = :status)
order by run.created_at desc, run.id desc
limit :limit;

-- name: fetch_run_report
-- One run, by its own id or one that Dagster gave it.
select
  run.run_id, run.dagster_run_id, run.flow_slug, run.flow_version, run.status, run.input,
  run.output, run.error_message, run.retry_of, run.created_at, run.started_at,
  coalesce(run.completed_at, run.failed_at) as ended_at,
  case run.status
    when 'waiting' then (
      select string_agg(step.waiting_for, '; ' order by step.waiting_since, step.step_path)
      from pgflow.step_states as step
      where step.run_id = run.run_id and step.status = 'waiting'
    )
  end as waiting_for,
  clock_timestamp() as seen_at
from pgflow.runs as run
where run.run_id = cast(:run_id as uuid)
  or run.dagster_run_id = cast(:run_id as uuid)
  or run.run_id in (
    select continuation.run_id
    from pgflow.run_continuations as continuation
    where continuation.dagster_run_id = cast(:run_id as uuid)
  );

-- name: fetch_run_ids_by_prefix
-- The runs whose id, ours or Dagster's, begins so.
select run.run_id
from pgflow.runs as run
where cast(run.run_id as text) like :prefix || '%'
  or cast(run.dagster_run_id as text) like :prefix || '%'
  or run.run_id in (
    select continuation.run_id
    from pgflow.run_continuations as continuation
    where cast(continuation.dagster_run_id as text) like :prefix || '%'
  )
order by run.created_at desc, run.id desc
limit 10;

-- name: fetch_step_reports
-- The steps of a run, in the order in which they began, with their places in their flows.
with flow as (
  select distinct on (flow_version.flow_slug) flow_version.flow_slug, flow_version.definition
  from pgflow.flow_versions as flow_version
  where
    flow_version.flow_slug in (
      select step.flow_slug from pgflow.step_states as step
      where step.run_id = cast(:run_id as uuid)
    )
    and flow_version.version_id <= coalesce(
      (
        select cast(event.event_data ->> 'watermark' as bigint)
        from pgflow.event_log as event
        where event.run_id = cast(:run_id as uuid) and event.sequence_num = 1
      ),
      9223372036854775807
    )
  order by flow_version.flow_slug, flow_version.version_id desc
), written as (
  select flow.flow_slug, step.definition ->> 'slug' as step_slug, step.place
  from flow
  cross join lateral jsonb_array_elements(flow.definition -> 'steps')
    with ordinality as step (definition, place)
), needed as (
  select distinct flow.flow_slug, needed.slug
  from flow
  cross join lateral jsonb_array_elements(flow.definition -> 'steps') as step (definition)
  cross join lateral jsonb_array_elements_text(step.definition -> 'depends_on') as needed (slug)
), waits as (
  select
    event.correlation_id as step_path,
    event.event_type,
    cast(event.event_data ->> 'task_index' as integer) as task_index,
    cast(event.event_data ->> 'attempt' as integer) as attempt,
    event.timestamp
      + make_interval(secs => cast(event.event_data ->> 'delay_seconds' as double precision))
      as ends_at
  from pgflow.event_log as event
  where event.run_id = cast(:run_id as uuid)
    and event.event_type in ('step.delayed', 'task.retrying')
), tasks as (
  select
    task.step_path,
    count(*) filter (where task.status in ('completed', 'skipped')) as done,
    count(*) filter (where task.status = 'failed') as failed,
    count(*) filter (where task.status = 'queued' and task.attempts_count > 0) as waiting,
    max(task.attempts_count) as attempts,
    min(waits.ends_at) filter (where task.status = 'queued') as next_at
  from pgflow.step_tasks as task
  left join waits
    on waits.step_path = task.step_path
    and waits.task_index = task.task_index
    and waits.attempt = task.attempts_count
  where task.run_id = cast(:run_id as uuid)
  group by task.step_path
), failures as (
  select execution.step_path, count(*) as attempts
  from pgflow.node_executions as execution
  where execution.run_id = cast(:run_id as uuid) and execution.status = 'failed'
  group by execution.step_path
), items as (
  select
    subrun.parent_subrun_id,
    subrun.parent_step_slug,
    count(*) filter (where subrun.status = 'completed') as done,
    count(*) filter (where subrun.status = 'failed') as failed
  from pgflow.subruns as subrun
  join pgflow.runs as run on run.id = subrun.parent_run_id
  where run.run_id = cast(:run_id as uuid) and subrun.map_index is not null
  group by subrun.parent_subrun_id, subrun.parent_step_slug
)
select
  step.step_path, step.step_slug, step.flow_slug, step.step_type, step.status, step.skip_reason,
  step.initial_tasks as tasks, coalesce(items.done, tasks.done, 0) as tasks_done,
  coalesce(items.failed, tasks.failed, 0) as tasks_failed,
  coalesce(tasks.waiting, 0) as tasks_waiting, items.done is not null as has_items,
  coalesce(tasks.attempts, 0) as attempts, coalesce(failures.attempts, 0) as attempts_failed,
  case step.status
    when 'created' then (
      select min(waits.ends_at)
      from waits
      where waits.step_path = step.step_path and waits.event_type = 'step.delayed'
    )
    when 'started' then tasks.next_at
  end as next_at,
  step.output, step.error_message, step.started_at, subrun.subrun_path,
  loop.current_iteration as iteration, loop.max_iterations, loop.ended_by,
  coalesce(written.place, 0) as place,
  written.place is not null and needed.slug is null as is_final,
  coalesce(step.completed_at, step.failed_at, step.skipped_at) as ended_at,
  step.waiting_for, step.waiting_since, step.why, wait.kind as waits_as, wait.due_at,
  coalesce(wait.answerers, '{}') as answerers, wait.signal, wait.key as signal_key
from pgflow.step_states as step
left join pgflow.waits as wait
  on wait.run_id = step.run_id
  and wait.step_path = step.step_path
  and wait.status = 'open'
  and step.status = 'waiting'
left join pgflow.subruns as subrun on subrun.subrun_id = step.subrun_id
left join written
  on written.flow_slug = step.flow_slug and written.step_slug = step.step_slug
left join needed
  on needed.flow_slug = step.flow_slug and needed.slug = step.step_slug
left join tasks on tasks.step_path = step.step_path
left join items
  on items.parent_step_slug = step.step_slug
  and items.parent_subrun_id is not distinct from step.subrun_id
left join failures on failures.step_path = step.step_path
left join pgflow.loop_state as loop
  on loop.run_id = step.run_id and loop.loop_path = step.step_path
where step.run_id = cast(:run_id as uuid)
order by
  coalesce(step.started_at, step.skipped_at, step.completed_at, step.failed_at) nulls last,
  step.remaining_deps,
  step.step_path collate "C";

-- name: fetch_why_unread
-- Why what is known of a run is not up to date, where the projection had to set it aside.
select run_cursor.error_message
from pgflow.runs as run
join pgflow.run_cursors as run_cursor on run_cursor.dagster_run_id = run.dagster_run_id
where run.run_id = cast(:run_id as uuid) and run_cursor.failures > 0;

-- name: fetch_failed_attempts
-- The latest failed attempts of a run, with what follows from each.
with told as (
  select
    event.correlation_id as step_path,
    cast(event.event_data ->> 'task_index' as integer) as task_index,
    cast(event.event_data ->> 'attempt' as integer) as attempt,
    max(cast(event.event_data ->> 'max_attempts' as integer)) as max_attempts,
    max(
      event.timestamp
        + make_interval(secs => cast(event.event_data ->> 'delay_seconds' as double precision))
    ) as next_at
  from pgflow.event_log as event
  where event.run_id = cast(:run_id as uuid)
    and event.event_type in ('task.retrying', 'task.failed')
  group by 1, 2, 3
), latest as (
  select execution.*
  from pgflow.node_executions as execution
  where execution.run_id = cast(:run_id as uuid) and execution.status = 'failed'
  order by
    execution.completed_at desc, execution.step_path collate "C" desc, execution.task_index desc,
    execution.attempt desc
  limit :limit
)
select
  latest.step_path, latest.task_index, step.step_type, latest.attempt, told.max_attempts,
  latest.error, latest.worker_id, latest.started_at, latest.completed_at as failed_at,
  latest.attempt = task.attempts_count as is_last,
  case when latest.attempt = task.attempts_count and task.status = 'queued'
    then told.next_at
  end as next_at
from latest
join pgflow.step_tasks as task using (run_id, step_path, task_index)
join pgflow.step_states as step using (run_id, step_path)
left join told using (step_path, task_index, attempt)
order by latest.completed_at, latest.step_path collate "C", latest.task_index, latest.attempt;

-- name: fetch_run_warnings
-- What was odd in a run and failed nothing, in the order in which it happened.
select event.correlation_id as step_path, warning.message
from pgflow.event_log as event
cross join lateral jsonb_array_elements_text(event.event_data -> 'warnings')
  with ordinality as warning (message, place)
where event.run_id = cast(:run_id as uuid)
  and jsonb_typeof(event.event_data -> 'warnings') = 'array'
order by event.sequence_num, warning.place
limit :limit;

-- name: fetch_run_counts
-- What a run has cost so far; no row before Dagster has it.
select
  counted.nodes_executed as steps_executed, counted.nodes_failed as steps_failed,
  counted.nodes_skipped as steps_skipped, counted.retries,
  pgflow.get_run_counter(counted.run_id) as tokens_left
from pgflow.run_statistics as counted
where counted.run_id = cast(:run_id as uuid);

-- name: fetch_subrun_reports
-- The subruns of a run.
select
  subrun.subrun_path, subrun.subflow_slug, subrun.parent_step_slug, subrun.status,
  subrun.map_index, subrun.input, subrun.output, subrun.error_message, subrun.started_at,
  subrun.completed_at as ended_at, subrun.dagster_run_id
from pgflow.subruns as subrun
join pgflow.runs as run on run.id = subrun.parent_run_id
where run.run_id = cast(:run_id as uuid)
order by cast(string_to_array(subrun.subrun_path, '.') as integer[]);

-- name: fetch_seconds_since_sensors
-- How long ago the projection last looked for runs; null when it never did.
select extract(epoch from clock_timestamp() - max(updated_at)) from pgflow.projection_cursors;

-- name: fetch_run_end
-- How a run is, for who waits for it.
select run.run_id, run.flow_slug, run.status, run.output, run.error_message
from pgflow.runs as run
where run.run_id = cast(:run_id as uuid);

-- name: fetch_runs_over
-- Which of some runs are over.
select run.run_id
from pgflow.runs as run
where run.run_id = any (cast(:run_ids as uuid[]))
  and run.status in ('completed', 'failed', 'cancelled');

-- name: fetch_why_not_on
-- Why a run does not go on yet that has what it waited for, or has lost its process.
select concat_ws(
  '. ',
  case kind when 'recover' then 'for another process, since its own was lost' else 'to go on' end,
  problem
)
from pgflow.run_continuations
where run_id = cast(:run_id as uuid) and ended_at is null
  and (kind = 'recover' or problem is not null);

-- name: fetch_why_waiting
-- Why Dagster has no run of a request yet.
select waits_for from pgflow.waiting_requests where run_id = cast(:run_id as uuid);
