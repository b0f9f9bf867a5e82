create function pgflow.content_hash(definition jsonb) returns text
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(definition::text, 'UTF8')), 'hex')
$$;

comment on function pgflow.content_hash(jsonb) is
  'What two definitions have in common only when they are the same';
