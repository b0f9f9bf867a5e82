create table pgflow.run_counter_snapshots (
  run_id uuid not null,
  sequence_num integer not null,
  counter integer not null,
  taken_at timestamptz not null,
  constraint run_counter_snapshots_pkey primary key (run_id, sequence_num),
  constraint run_counter_snapshots_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade,
  constraint counter_is_nonnegative check (counter >= 0)
);

comment on table pgflow.run_counter_snapshots is
  'The token counter of each run as of every hundredth event, and as of the last one';
comment on column pgflow.run_counter_snapshots.taken_at is 'When that event happened';
