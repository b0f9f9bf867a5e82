create function pgflow.watermark_of(flow_slug text) returns bigint
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select max((pgflow.newest_version(contained.slug)).version_id)
  from pgflow.contained_flows(watermark_of.flow_slug) as contained (slug)
$$;

comment on function pgflow.watermark_of(text) is
  'The newest version_id among the flow and all flows that it contains';
