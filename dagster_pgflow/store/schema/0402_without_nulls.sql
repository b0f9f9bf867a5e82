-- A building block of definitions: an object without its fields that are null, and with all that
-- lies within the others.
create function pgflow.without_nulls(object jsonb) returns jsonb
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(jsonb_object_agg(field.name, field.value), '{}')
  from jsonb_each(object) as field (name, value)
  where field.value <> 'null'
$$;
