create table pgflow.run_cursors (
  dagster_run_id uuid not null,
  found_at timestamptz not null,
  position text,
  looks integer not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  end_seen_at timestamptz,
  is_final boolean not null default false,
  failures integer not null default 0,
  error_message text,
  checked_at timestamptz,
  log text,
  constraint run_cursors_pkey primary key (dagster_run_id)
);

create index run_cursors_due on pgflow.run_cursors (due_at) where not is_final;
create index run_cursors_in_trouble on pgflow.run_cursors (due_at) where failures > 0;

comment on table pgflow.run_cursors is
  'Up to where each run of Dagster is in our tables, written with what was read';
comment on column pgflow.run_cursors.found_at is 'When Dagster last changed the run, by its clock';
comment on column pgflow.run_cursors.position is 'Where in Dagster''s event log the last look ended';
comment on column pgflow.run_cursors.looks is 'Counts what was written: a slower sensor sees that it is late';
comment on column pgflow.run_cursors.due_at is 'When to look at the run again';
comment on column pgflow.run_cursors.is_final is 'Whether the run was read once more after its end';
comment on column pgflow.run_cursors.error_message is 'Why the last look failed';
comment on column pgflow.run_cursors.checked_at is
  'When Dagster was last asked whether the run still lives';
comment on column pgflow.run_cursors.log is
  'Which Dagster has the run, as in dagster_logs; null where nobody has said it';
