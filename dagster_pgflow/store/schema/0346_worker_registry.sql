create table pgflow.worker_registry (
  run_id uuid not null,
  worker_id text not null,
  host text not null,
  pid bigint,
  first_seen timestamptz not null,
  last_heartbeat timestamptz not null,
  load integer not null,
  constraint worker_registry_pkey primary key (run_id, worker_id),
  constraint worker_registry_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade,
  constraint load_is_nonnegative check (load >= 0)
);

create index worker_registry_by_worker on pgflow.worker_registry (worker_id);
create index worker_registry_by_heartbeat on pgflow.worker_registry (last_heartbeat);

comment on table pgflow.worker_registry is
  'The processes that were seen executing tasks: one row for each run that a process worked for';
comment on column pgflow.worker_registry.last_heartbeat is
  'When something that it did was last heard of';
comment on column pgflow.worker_registry.load is 'How many tasks it has under way';
