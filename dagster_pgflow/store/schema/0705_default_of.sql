create function pgflow.default_of(schema jsonb, root jsonb) returns jsonb
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  here jsonb := schema;
begin
  for _ in 1..50 loop
    if jsonb_typeof(here) is distinct from 'object' then
      return null;
    elsif here ? 'default' then
      return here -> 'default';
    end if;
    here := pgflow.referred_schema(here -> '$ref', root);
  end loop;
  return null;
end
$$;

comment on function pgflow.default_of(jsonb, jsonb) is
  'The default of a part of a JSON Schema, or of what it refers to; null without one';
