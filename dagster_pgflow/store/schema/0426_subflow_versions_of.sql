create function pgflow.subflow_versions_of(flow_slug text) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(jsonb_object_agg(inner_flow.slug, newest.version), '{}')
  from (
    select distinct step.subflow_slug as slug
    from pgflow.steps as step
    where step.flow_slug = subflow_versions_of.flow_slug and step.subflow_slug is not null
  ) as inner_flow
  cross join lateral pgflow.newest_version(inner_flow.slug) as newest
  where newest.definition is not null
$$;

comment on function pgflow.subflow_versions_of(text) is
  'The newest version of each flow that a step of this one runs, by slug';
