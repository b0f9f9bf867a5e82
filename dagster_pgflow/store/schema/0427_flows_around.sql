create function pgflow.flows_around(flow_slugs text[]) returns text[]
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with recursive around (slug) as (
    select unnest(flow_slugs)
    union
    select step.flow_slug
    from around
    join pgflow.steps as step on step.subflow_slug = around.slug
  )
  select coalesce(array_agg(around.slug), '{}') from around
$$;

comment on function pgflow.flows_around(text[]) is
  'These flows and all that contain one of them';
