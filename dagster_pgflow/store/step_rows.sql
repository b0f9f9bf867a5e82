-- name: drop_steps
-- Drop the steps of a run that do not belong, where there are more than there should be.
delete from pgflow.step_states as step
where step.run_id = cast(:run_id as uuid)
  and (select count(*) from pgflow.step_states where run_id = cast(:run_id as uuid)) > :wanted
  and not exists (
    select
    from unnest(cast(:step_path as text[])) as given (step_path)
    where given.step_path = step.step_path
  );

-- name: write_steps
-- Write the steps of a run that have changed.
with given as (
  select unnested.*, subrun.subrun_id
  from unnest(
    cast(:step_path as text[]), cast(:step_slug as text[]), cast(:flow_slug as text[]),
    cast(:subrun_path as text[]), cast(:step_type as text[]), cast(:status as text[]),
    cast(:skip_reason as text[]), cast(:initial_tasks as integer[]),
    cast(:remaining_tasks as integer[]), cast(:remaining_deps as integer[]),
    cast(:output as text[]), cast(:error_message as text[]), cast(:created_at as timestamptz[]),
    cast(:started_at as timestamptz[]), cast(:completed_at as timestamptz[]),
    cast(:failed_at as timestamptz[]), cast(:skipped_at as timestamptz[]),
    cast(:waiting_for as text[]), cast(:waiting_since as timestamptz[]), cast(:why as text[])
  ) as unnested (
    step_path, step_slug, flow_slug, subrun_path, step_type, status, skip_reason, initial_tasks,
    remaining_tasks, remaining_deps, output, error_message, created_at, started_at,
    completed_at, failed_at, skipped_at, waiting_for, waiting_since, why
  )
  left join pgflow.subruns as subrun
    on subrun.parent_run_id = :id and subrun.subrun_path = unnested.subrun_path
)
insert into pgflow.step_states as step (
  run_id, step_path, step_slug, flow_slug, subrun_id, step_type, status, skip_reason,
  initial_tasks, remaining_tasks, remaining_deps, output, error_message, created_at, started_at,
  completed_at, failed_at, skipped_at, waiting_for, waiting_since, why
)
select
  cast(:run_id as uuid), step_path, step_slug, flow_slug, subrun_id, step_type, status,
  skip_reason, initial_tasks, remaining_tasks, remaining_deps, cast(output as jsonb),
  error_message, created_at, started_at, completed_at, failed_at, skipped_at, waiting_for,
  waiting_since, why
from given
on conflict on constraint step_states_pkey do update
set step_slug = excluded.step_slug,
  flow_slug = excluded.flow_slug,
  subrun_id = excluded.subrun_id,
  step_type = excluded.step_type,
  status = excluded.status,
  skip_reason = excluded.skip_reason,
  initial_tasks = excluded.initial_tasks,
  remaining_tasks = excluded.remaining_tasks,
  remaining_deps = excluded.remaining_deps,
  output = excluded.output,
  error_message = excluded.error_message,
  created_at = excluded.created_at,
  started_at = excluded.started_at,
  completed_at = excluded.completed_at,
  failed_at = excluded.failed_at,
  skipped_at = excluded.skipped_at,
  waiting_for = excluded.waiting_for,
  waiting_since = excluded.waiting_since,
  why = excluded.why
where step is distinct from excluded;

-- name: drop_tasks
-- Drop the tasks of a run that do not belong, where there are more than there should be.
delete from pgflow.step_tasks as task
where task.run_id = cast(:run_id as uuid)
  and (select count(*) from pgflow.step_tasks where run_id = cast(:run_id as uuid)) > :wanted
  and not exists (
    select
    from unnest(cast(:step_path as text[]), cast(:task_index as integer[]))
      as given (step_path, task_index)
    where given.step_path = task.step_path and given.task_index = task.task_index
  );

-- name: write_tasks
-- Write the tasks of a run that have changed.
with given as (
  select unnested.*, subrun.subrun_id
  from unnest(
    cast(:step_path as text[]), cast(:task_index as integer[]), cast(:step_slug as text[]),
    cast(:flow_slug as text[]), cast(:subrun_path as text[]), cast(:status as text[]),
    cast(:attempts_count as integer[]), cast(:error_message as text[]), cast(:output as text[]),
    cast(:queued_at as timestamptz[]), cast(:started_at as timestamptz[]),
    cast(:completed_at as timestamptz[]), cast(:failed_at as timestamptz[]),
    cast(:last_worker_id as text[])
  ) as unnested (
    step_path, task_index, step_slug, flow_slug, subrun_path, status, attempts_count,
    error_message, output, queued_at, started_at, completed_at, failed_at, last_worker_id
  )
  left join pgflow.subruns as subrun
    on subrun.parent_run_id = :id and subrun.subrun_path = unnested.subrun_path
)
insert into pgflow.step_tasks as task (
  run_id, step_path, task_index, step_slug, flow_slug, subrun_id, status, attempts_count,
  error_message, output, queued_at, started_at, completed_at, failed_at, last_worker_id
)
select
  cast(:run_id as uuid), step_path, task_index, step_slug, flow_slug, subrun_id, status,
  attempts_count, error_message, cast(output as jsonb), queued_at, started_at, completed_at,
  failed_at, last_worker_id
from given
on conflict on constraint step_tasks_pkey do update
set step_slug = excluded.step_slug,
  flow_slug = excluded.flow_slug,
  subrun_id = excluded.subrun_id,
  status = excluded.status,
  attempts_count = excluded.attempts_count,
  error_message = excluded.error_message,
  output = excluded.output,
  queued_at = excluded.queued_at,
  started_at = excluded.started_at,
  completed_at = excluded.completed_at,
  failed_at = excluded.failed_at,
  last_worker_id = excluded.last_worker_id
where task is distinct from excluded;

-- name: drop_node_executions
-- Drop the attempts of a run that do not belong, where there are more than there should be.
delete from pgflow.node_executions as execution
where execution.run_id = cast(:run_id as uuid)
  and (select count(*) from pgflow.node_executions where run_id = cast(:run_id as uuid)) > :wanted
  and not exists (
    select
    from unnest(
      cast(:step_path as text[]), cast(:task_index as integer[]), cast(:attempt as integer[])
    ) as given (step_path, task_index, attempt)
    where given.step_path = execution.step_path
      and given.task_index = execution.task_index
      and given.attempt = execution.attempt
  );

-- name: write_node_executions
-- Write the attempts of a run that have changed.
with given as (
  select unnested.*, subrun.subrun_id
  from unnest(
    cast(:step_path as text[]), cast(:task_index as integer[]), cast(:attempt as integer[]),
    cast(:step_slug as text[]), cast(:flow_slug as text[]), cast(:subrun_path as text[]),
    cast(:status as text[]), cast(:started_at as timestamptz[]),
    cast(:completed_at as timestamptz[]), cast(:duration_ms as bigint[]),
    cast(:worker_id as text[]), cast(:error as text[]), cast(:iteration as integer[])
  ) as unnested (
    step_path, task_index, attempt, step_slug, flow_slug, subrun_path, status, started_at,
    completed_at, duration_ms, worker_id, error, iteration
  )
  left join pgflow.subruns as subrun
    on subrun.parent_run_id = :id and subrun.subrun_path = unnested.subrun_path
)
insert into pgflow.node_executions as execution (
  run_id, step_path, task_index, attempt, step_slug, flow_slug, subrun_id, status, started_at,
  completed_at, duration_ms, worker_id, error, iteration
)
select
  cast(:run_id as uuid), step_path, task_index, attempt, step_slug, flow_slug, subrun_id, status,
  started_at, completed_at, duration_ms, worker_id, error, iteration
from given
on conflict on constraint node_executions_pkey do update
set step_slug = excluded.step_slug,
  flow_slug = excluded.flow_slug,
  subrun_id = excluded.subrun_id,
  status = excluded.status,
  started_at = excluded.started_at,
  completed_at = excluded.completed_at,
  duration_ms = excluded.duration_ms,
  worker_id = excluded.worker_id,
  error = excluded.error,
  iteration = excluded.iteration
where execution is distinct from excluded;
