create function pgflow.watermark_of(flow_slug text) returns bigint
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with recursive contained (slug) as (
    select watermark_of.flow_slug
    union
    select step.subflow_slug
    from contained
    join pgflow.steps as step on step.flow_slug = contained.slug
    where step.subflow_slug is not null
  )
  select max((pgflow.newest_version(contained.slug)).version_id) from contained
$$;

comment on function pgflow.watermark_of(text) is
  'The newest version_id among the flow and all flows that it contains';
