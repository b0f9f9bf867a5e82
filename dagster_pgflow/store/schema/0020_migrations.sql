create table pgflow.migrations (
  version integer not null,
  name text not null,
  applied_at timestamptz not null default now(),
  checksum text not null,
  old_code_works boolean not null,
  constraint migrations_pkey primary key (version)
);

comment on table pgflow.migrations is 'Which migrations of dagster_pgflow this database has';
comment on column pgflow.migrations.checksum is 'The SHA-256 of the SQL that was run';
comment on column pgflow.migrations.old_code_works is
  'Whether code that does not know this migration works with the database';
