create function pgflow.resolved_schema(schema jsonb, root jsonb) returns jsonb
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
    elsif not here ? '$ref' then
      return here;
    end if;
    here := pgflow.referred_schema(here -> '$ref', root);
  end loop;
  return null;
end
$$;

comment on function pgflow.resolved_schema(jsonb, jsonb) is
  'What a part of a JSON Schema refers to in the end, and itself where it does not refer';
