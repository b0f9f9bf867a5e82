create function pgflow.step_index_of(flow_slug text, step_slug text) returns integer
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select step.step_index
  from pgflow.steps as step
  where step.flow_slug = step_index_of.flow_slug and step.step_slug = step_index_of.step_slug
$$;
