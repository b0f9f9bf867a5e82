create table pgflow.loop_state (
  run_id uuid not null,
  loop_path text not null,
  current_iteration integer not null,
  max_iterations integer,
  status text not null,
  ended_by text,
  started_at timestamptz not null,
  completed_at timestamptz,
  constraint loop_state_pkey primary key (run_id, loop_path),
  constraint loop_state_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade,
  constraint status_is_valid check (status in ('started', 'completed', 'failed', 'cancelled')),
  constraint ended_by_is_valid check (ended_by in ('break', 'timeout', 'error')),
  constraint passes_count_from_one check (current_iteration > 0),
  constraint a_loop_that_is_over_has_an_end
    check ((status = 'started') = (completed_at is null))
);

comment on table pgflow.loop_state is 'How far each loop of a run is, and how it ended';
comment on column pgflow.loop_state.loop_path is 'The path of the loop step';
