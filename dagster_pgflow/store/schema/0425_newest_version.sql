create function pgflow.newest_version(flow_slug text) returns pgflow.flow_versions
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select flow_version.*
  from pgflow.flow_versions as flow_version
  where flow_version.flow_slug = newest_version.flow_slug
  order by flow_version.version_id desc
  limit 1
$$;

comment on function pgflow.newest_version(text) is
  'The newest version of a flow, which may say that it was deleted; null when it never existed';
