create table pgflow.step_tasks (
  run_id uuid not null,
  step_path text not null,
  task_index integer not null default 0,
  step_slug text not null,
  flow_slug text not null,
  subrun_id bigint,
  status text not null default 'queued',
  attempts_count integer not null default 0,
  error_message text,
  output jsonb,
  queued_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  failed_at timestamptz,
  last_worker_id text,
  constraint step_tasks_pkey primary key (run_id, step_path, task_index),
  constraint step_tasks_run_id_step_path_fkey foreign key (run_id, step_path)
    references pgflow.step_states (run_id, step_path) on delete cascade,
  constraint step_tasks_subrun_id_fkey foreign key (subrun_id)
    references pgflow.subruns (subrun_id) on delete cascade,
  constraint status_is_valid
    check (status in ('queued', 'started', 'completed', 'failed', 'skipped', 'cancelled')),
  constraint task_index_is_nonnegative check (task_index >= 0),
  constraint attempts_count_is_nonnegative check (attempts_count >= 0)
);

create index step_tasks_by_subrun on pgflow.step_tasks (subrun_id) where subrun_id is not null;

comment on table pgflow.step_tasks is 'One row a unit of work: a single step has one, a map step one an element';
