create table pgflow.runs (
  id bigint not null generated always as identity,
  run_id uuid not null,
  dagster_run_id uuid,
  flow_slug text not null,
  flow_version integer,
  version_id bigint,
  status text not null default 'queued',
  input jsonb not null default '{}',
  output jsonb,
  error_message text,
  remaining_steps integer,
  retry_of uuid,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  failed_at timestamptz,
  updated_at timestamptz not null default now(),
  constraint runs_pkey primary key (id),
  constraint runs_run_id_key unique (run_id),
  constraint runs_dagster_run_id_key unique (dagster_run_id),
  constraint status_is_valid
    check (status in ('queued', 'started', 'waiting', 'completed', 'failed', 'cancelled')),
  constraint remaining_steps_is_nonnegative check (remaining_steps >= 0)
);

create index runs_by_flow on pgflow.runs (flow_slug, created_at);
create index runs_under_way on pgflow.runs (created_at)
where status in ('queued', 'started', 'waiting');

comment on table pgflow.runs is 'One row a run of a flow, kept true from Dagster''s event log';
comment on column pgflow.runs.retry_of is 'The run_id of the run that this one re-executes';
