create table pgflow.event_log (
  event_id uuid not null,
  run_id uuid not null,
  sequence_num integer not null,
  event_type text not null,
  timestamp timestamptz not null,
  event_data jsonb not null default '{}',
  parent_event_id uuid,
  correlation_id text,
  constraint event_log_pkey primary key (run_id, sequence_num),
  constraint event_log_event_id_key unique (event_id),
  constraint sequence_starts_at_one check (sequence_num > 0)
);

comment on table pgflow.event_log is
  'What happened in each run, in order and without gaps; the state tables are its fold';
