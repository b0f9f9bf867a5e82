create table pgflow.run_cursors (
  dagster_run_id uuid not null,
  run_id uuid not null,
  last_event_id bigint not null default 0,
  is_final boolean not null default false,
  updated_at timestamptz not null default now(),
  constraint run_cursors_pkey primary key (dagster_run_id)
);

create index run_cursors_open on pgflow.run_cursors (updated_at) where not is_final;

comment on table pgflow.run_cursors is 'Up to which Dagster event each run is in our tables';
comment on column pgflow.run_cursors.is_final is 'Whether the run was read once more after its end';
