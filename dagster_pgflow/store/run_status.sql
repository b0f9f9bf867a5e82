-- name: fetch_latest_runs
-- The newest runs, with how far their steps are.
select
  run.run_id, run.dagster_run_id, run.flow_slug, run.flow_version, run.status, run.input,
  run.output, run.error_message, run.retry_of, run.created_at, run.started_at,
  coalesce(run.completed_at, run.failed_at) as ended_at,
  clock_timestamp() as seen_at
from pgflow.runs as run
order by run.created_at desc, run.id desc
limit :limit;

-- name: fetch_run_report
-- One run, by its own id or the one that Dagster gave it.
select
  run.run_id, run.dagster_run_id, run.flow_slug, run.flow_version, run.status, run.input,
  run.output, run.error_message, run.retry_of, run.created_at, run.started_at,
  coalesce(run.completed_at, run.failed_at) as ended_at,
  clock_timestamp() as seen_at
from pgflow.runs as run
where run.run_id = cast(:run_id as uuid) or run.dagster_run_id = cast(:run_id as uuid);

-- name: fetch_run_ids_by_prefix
-- The runs whose id, ours or Dagster's, begins so.
select run.run_id
from pgflow.runs as run
where cast(run.run_id as text) like :prefix || '%'
  or cast(run.dagster_run_id as text) like :prefix || '%'
order by run.created_at desc
limit 10;

-- name: fetch_step_reports
-- The steps of a run, in the order in which they began.
select
  step.step_path, step.step_slug, step.flow_slug, step.step_type, step.status, step.skip_reason,
  step.initial_tasks as tasks, coalesce(task.done, 0) as tasks_done,
  coalesce(task.failed, 0) as tasks_failed, coalesce(task.attempts, 0) as attempts, step.output,
  step.error_message, step.started_at, subrun.subrun_path,
  coalesce(step.completed_at, step.failed_at, step.skipped_at) as ended_at
from pgflow.step_states as step
left join pgflow.subruns as subrun on subrun.subrun_id = step.subrun_id
left join lateral (
  select
    count(*) filter (where task.status in ('completed', 'skipped')) as done,
    count(*) filter (where task.status = 'failed') as failed,
    max(task.attempts_count) as attempts
  from pgflow.step_tasks as task
  where task.run_id = step.run_id and task.step_path = step.step_path
) as task on true
where step.run_id = cast(:run_id as uuid)
order by
  coalesce(step.started_at, step.skipped_at, step.completed_at, step.failed_at) nulls last,
  step.remaining_deps,
  step.step_path collate "C";

-- name: fetch_subrun_reports
-- The subruns of a run.
select
  subrun.subrun_path, subrun.subflow_slug, subrun.parent_step_slug, subrun.status,
  subrun.map_index, subrun.input, subrun.output, subrun.error_message, subrun.started_at,
  subrun.completed_at as ended_at
from pgflow.subruns as subrun
join pgflow.runs as run on run.id = subrun.parent_run_id
where run.run_id = cast(:run_id as uuid)
order by cast(string_to_array(subrun.subrun_path, '.') as integer[]);

-- name: fetch_seconds_since_sensors
-- How long ago the projection last looked for runs; null when it never did.
select extract(epoch from clock_timestamp() - max(updated_at)) from pgflow.projection_cursors;
