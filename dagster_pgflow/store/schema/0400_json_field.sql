-- A building block of definitions, in which an absent value is an absent key.
create function pgflow.json_field(name text, value jsonb) returns jsonb
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case when value is null then '{}' else jsonb_build_object(name, value) end
$$;
