create function pgflow.failure_steps_of(step pgflow.steps) returns table (field text, target text)
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  select named.field, step.settings ->> named.field
  from (values ('on_failure'), ('on_timeout')) as named (field)
  where step.settings ->> named.field is not null
$$;

comment on function pgflow.failure_steps_of(pgflow.steps) is
  'The steps that a run goes on with when a step fails, with the field that names each';
