create table pgflow.live_workers (
  worker_id uuid not null,
  code_location text not null,
  host text not null,
  process_id integer not null,
  concurrency integer not null,
  version text not null,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  constraint live_workers_pkey primary key (worker_id)
);

comment on table pgflow.live_workers is 'The live workers of this store; one that has ended has no row';
comment on column pgflow.live_workers.code_location is 'The code location that it executes runs of, by Dagster''s name';
comment on column pgflow.live_workers.concurrency is 'How many runs it executes at the same time';
comment on column pgflow.live_workers.seen_at is 'When it last said that it is there; it says so every few seconds';
