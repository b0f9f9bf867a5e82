create table pgflow.subruns (
  subrun_id bigint not null generated always as identity,
  parent_run_id bigint not null,
  parent_subrun_id bigint,
  parent_step_slug text not null,
  subflow_slug text not null,
  run_index integer not null,
  subrun_index integer not null,
  subrun_path text not null,
  map_index integer,
  status text not null default 'created',
  input jsonb,
  output jsonb,
  error_message text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  updated_at timestamptz not null default now(),
  dagster_run_id uuid,
  constraint subruns_pkey primary key (subrun_id),
  constraint subruns_parent_run_id_subrun_path_key unique (parent_run_id, subrun_path),
  constraint subruns_parent_run_id_fkey foreign key (parent_run_id)
    references pgflow.runs (id) on delete cascade,
  constraint subruns_parent_subrun_id_fkey foreign key (parent_subrun_id)
    references pgflow.subruns (subrun_id) on delete cascade,
  constraint status_is_valid
    check (
      status in ('created', 'started', 'waiting', 'completed', 'failed', 'skipped', 'cancelled')
    )
);

create index subruns_by_parent_step on pgflow.subruns (parent_run_id, parent_step_slug);
create index subruns_by_parent_subrun on pgflow.subruns (parent_subrun_id);
create index subruns_by_flow on pgflow.subruns (subflow_slug, created_at);

comment on table pgflow.subruns is 'One row for each time that a run enters a subflow';
comment on column pgflow.subruns.run_index is 'Counts the subruns of one run from 1';
comment on column pgflow.subruns.subrun_index is 'Counts the subruns of one parent from 1';
comment on column pgflow.subruns.subrun_path is 'The subrun_index of every ancestor and its own, such as 1.3.2';
comment on column pgflow.subruns.map_index is
  'The index of the item, where the flow runs once for each item of a list';
comment on column pgflow.subruns.dagster_run_id is
  'The Dagster run that the subrun is, where it is one of its own';
