create view pgflow.v_failed_executions as
select
  execution.run_id,
  run.flow_slug as run_flow_slug,
  execution.step_path,
  execution.step_slug,
  execution.flow_slug,
  execution.task_index,
  execution.attempt,
  execution.error,
  execution.worker_id,
  execution.started_at,
  execution.completed_at as failed_at,
  execution.duration_ms,
  not exists (
    select
    from pgflow.node_executions as later
    where later.run_id = execution.run_id
      and later.step_path = execution.step_path
      and later.task_index = execution.task_index
      and later.attempt > execution.attempt
  ) as is_last,
  task.status as task_status,
  run.status as run_status
from pgflow.node_executions as execution
join pgflow.runs as run on run.run_id = execution.run_id
join pgflow.step_tasks as task
  on task.run_id = execution.run_id
  and task.step_path = execution.step_path
  and task.task_index = execution.task_index
where execution.status = 'failed';

comment on view pgflow.v_failed_executions is
  'The attempts that failed, and what has become of their tasks and runs';
comment on column pgflow.v_failed_executions.is_last is
  'Whether no other attempt of the task has begun since';
