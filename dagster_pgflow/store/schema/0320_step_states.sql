create table pgflow.step_states (
  run_id uuid not null,
  step_path text not null,
  step_slug text not null,
  flow_slug text not null,
  subrun_id bigint,
  step_type text not null default 'single',
  status text not null default 'created',
  skip_reason text,
  initial_tasks integer,
  remaining_tasks integer,
  remaining_deps integer not null default 0,
  output jsonb,
  error_message text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  failed_at timestamptz,
  skipped_at timestamptz,
  waiting_for text,
  waiting_since timestamptz,
  why text,
  constraint step_states_pkey primary key (run_id, step_path),
  constraint step_states_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade,
  constraint step_states_subrun_id_fkey foreign key (subrun_id)
    references pgflow.subruns (subrun_id) on delete cascade,
  constraint status_is_valid
    check (
      status in ('created', 'started', 'waiting', 'completed', 'failed', 'skipped', 'cancelled')
    ),
  constraint skip_reason_is_valid
    check (
      skip_reason in ('condition_unmet', 'not_taken', 'handler_failed', 'dependency_skipped')
    ),
  constraint initial_tasks_is_nonnegative check (initial_tasks >= 0),
  constraint remaining_tasks_is_nonnegative check (remaining_tasks >= 0),
  constraint remaining_deps_is_nonnegative check (remaining_deps >= 0)
);

create index step_states_by_subrun on pgflow.step_states (subrun_id) where subrun_id is not null;

comment on table pgflow.step_states is 'How far each step of a run is';
comment on column pgflow.step_states.step_path is
  'The slugs of the subflow steps around it and its own, such as payment.receipt';
comment on column pgflow.step_states.why is
  'Why it was skipped, or of a branch or a loop how the run goes on behind it, in words';
