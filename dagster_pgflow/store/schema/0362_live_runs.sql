create table pgflow.live_runs (
  dagster_run_id uuid not null,
  code_location text not null,
  worker_id uuid,
  tries integer not null default 0,
  asked_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz,
  cancel_asked_at timestamptz,
  constraint live_runs_pkey primary key (dagster_run_id),
  constraint what_a_worker_has_was_seen check (worker_id is null or seen_at is not null)
);

create index live_runs_that_wait on pgflow.live_runs (code_location, asked_at) where worker_id is null;

comment on table pgflow.live_runs is
  'The runs that live workers have, or shall take; one that has ended has no row';
comment on column pgflow.live_runs.worker_id is 'The live worker that has it; null while it waits for one';
comment on column pgflow.live_runs.tries is 'How often a worker has taken it';
comment on column pgflow.live_runs.asked_at is 'When it was asked for, or claimed';
comment on column pgflow.live_runs.seen_at is
  'When its process last said that it is at work; it says so every second';
comment on column pgflow.live_runs.cancel_asked_at is 'When somebody asked for its end';
