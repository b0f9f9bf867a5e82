create function pgflow.publish_version(flow_slug text) returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
<<this>>
declare
  definition constant jsonb := pgflow.flow_definition(publish_version.flow_slug);
  content_hash constant text := pgflow.content_hash(definition);
  subflow_versions constant jsonb := pgflow.subflow_versions_of(publish_version.flow_slug);
  newest constant pgflow.flow_versions := pgflow.newest_version(publish_version.flow_slug);
begin
  if newest.content_hash is distinct from this.content_hash
    or (definition is not null and newest.subflow_versions <> this.subflow_versions)
  then
    insert into pgflow.flow_versions (
      flow_slug, version, definition, content_hash, subflow_versions
    )
    values (
      publish_version.flow_slug, coalesce(newest.version, 0) + 1,
      this.definition, this.content_hash, this.subflow_versions
    );
  end if;
end
$$;

comment on function pgflow.publish_version(text) is
  'Adds a version when the flow, or the version of a flow that it runs, is another than before';
