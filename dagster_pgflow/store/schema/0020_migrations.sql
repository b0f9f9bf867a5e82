create table pgflow.migrations (
  version integer not null,
  name text not null,
  applied_at timestamptz not null default now(),
  constraint migrations_pkey primary key (version)
);

comment on table pgflow.migrations is 'Which migrations of dagster_pgflow this database has';
