create function pgflow.contained_flows(flow_slug text) returns setof text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with recursive contained (slug) as (
    select contained_flows.flow_slug
    union
    select step.subflow_slug
    from contained
    join pgflow.steps as step on step.flow_slug = contained.slug
    where step.subflow_slug is not null
  )
  select contained.slug from contained
$$;

comment on function pgflow.contained_flows(text) is
  'A flow and all that run inside it, by their slugs';
