create function pgflow.changed_flows(flow_slug text) returns text[]
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  touched text[];
begin
  -- Marks of other transactions are invisible: these are flows that this one has touched.
  with mark as (
    delete from pgflow.unpublished_flows as unpublished returning unpublished.flow_slug
  )
  select array_agg(flow.slug) into touched
  from (
    select mark.flow_slug from mark union select changed_flows.flow_slug
  ) as flow (slug);
  return array(
    select flow.slug
    from unnest(touched) as flow (slug)
    where (pgflow.newest_version(flow.slug)).content_hash
      is distinct from pgflow.content_hash(pgflow.flow_definition(flow.slug))
  );
end
$$;

comment on function pgflow.changed_flows(text) is
  'Which of a flow, and all that this transaction touched, differ from their newest version';
