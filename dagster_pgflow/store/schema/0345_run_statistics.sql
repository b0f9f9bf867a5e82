create table pgflow.run_statistics (
  run_id uuid not null,
  tokens_emitted integer not null,
  tokens_consumed integer not null,
  nodes_executed integer not null,
  nodes_failed integer not null,
  nodes_skipped integer not null,
  retries integer not null,
  total_time_ms bigint,
  terminal_nodes integer not null,
  completion_checks integer not null,
  completion_checks_saved integer not null,
  steps_done_at timestamptz,
  constraint run_statistics_pkey primary key (run_id),
  constraint run_statistics_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade
);

comment on table pgflow.run_statistics is 'What each run took, and how much of everything it had';
comment on column pgflow.run_statistics.terminal_nodes is
  'Steps of the flow that nothing depends on: known before the run begins';
comment on column pgflow.run_statistics.completion_checks is
  'How often a terminal step ended, or a route broke off, so that it was asked whether all is done';
comment on column pgflow.run_statistics.completion_checks_saved is
  'How often another step ended, and it was not asked';
comment on column pgflow.run_statistics.steps_done_at is
  'When the last token arrived at the end of the run; Dagster ends it a little later';
