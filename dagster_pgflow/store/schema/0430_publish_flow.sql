create function pgflow.publish_flow(flow_slug text) returns pgflow.flow_versions
language plpgsql
set search_path to ''
as $$
<<this>>
declare
  definition constant jsonb := pgflow.flow_definition(publish_flow.flow_slug);
  content_hash constant text := encode(sha256(convert_to(definition::text, 'UTF8')), 'hex');
  newest pgflow.flow_versions;
begin
  delete from pgflow.unpublished_flows as unpublished
  where unpublished.flow_slug = publish_flow.flow_slug;

  newest := pgflow.newest_version(publish_flow.flow_slug);
  if newest.content_hash is not distinct from this.content_hash then
    return newest;
  end if;

  -- Held until commit: whoever sees a version_id sees all smaller ones too, so that one number
  -- can stand for the whole catalog. It also lets the check below see what others added.
  perform pg_advisory_xact_lock(hashtextextended('pgflow.flow_versions', 0));
  perform pgflow.refuse_subflow_cycle(publish_flow.flow_slug);
  insert into pgflow.flow_versions (flow_slug, version, definition, content_hash)
  values (
    publish_flow.flow_slug, coalesce(newest.version, 0) + 1, this.definition, this.content_hash
  )
  returning * into newest;
  return newest;
end
$$;

comment on function pgflow.publish_flow(text) is
  'Adds a version when the flow changed since its newest one, which it returns in either case';
