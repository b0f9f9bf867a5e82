create table pgflow.dagster_logs (
  log text not null,
  seen_at timestamptz not null default clock_timestamp(),
  constraint dagster_logs_pkey primary key (log)
);

comment on table pgflow.dagster_logs is
  'The Dagsters that work with this store, each by the id that its run storage has';
comment on column pgflow.dagster_logs.seen_at is
  'When it last looked for runs or began one, give or take a minute';
