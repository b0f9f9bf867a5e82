create table pgflow.node_executions (
  run_id uuid not null,
  step_path text not null,
  task_index integer not null default 0,
  attempt integer not null,
  step_slug text not null,
  flow_slug text not null,
  subrun_id bigint,
  status text not null default 'started',
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  duration_ms bigint,
  worker_id text,
  error text,
  iteration integer,
  constraint node_executions_pkey primary key (run_id, step_path, task_index, attempt),
  constraint node_executions_run_id_step_path_task_index_fkey
    foreign key (run_id, step_path, task_index)
    references pgflow.step_tasks (run_id, step_path, task_index) on delete cascade,
  constraint node_executions_subrun_id_fkey foreign key (subrun_id)
    references pgflow.subruns (subrun_id) on delete cascade,
  constraint status_is_valid check (status in ('started', 'completed', 'failed', 'cancelled')),
  constraint attempts_count_from_one check (attempt > 0),
  constraint passes_count_from_one check (iteration > 0),
  constraint duration_is_nonnegative check (duration_ms >= 0),
  constraint an_attempt_that_is_over_has_an_end
    check ((status = 'started') = (completed_at is null)),
  constraint an_end_has_a_duration check ((completed_at is null) = (duration_ms is null)),
  constraint only_a_failed_attempt_has_an_error check (status = 'failed' or error is null)
);

create index node_executions_by_subrun
  on pgflow.node_executions (subrun_id) where subrun_id is not null;
create index node_executions_failed
  on pgflow.node_executions (completed_at) where status = 'failed';

comment on table pgflow.node_executions is 'One row an attempt of a task';
comment on column pgflow.node_executions.completed_at is
  'When the attempt ended, however it ended';
comment on column pgflow.node_executions.iteration is
  'The iteration of the innermost loop around the step, from 1; null outside of loops';
