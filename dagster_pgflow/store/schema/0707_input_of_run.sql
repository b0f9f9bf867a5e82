create function pgflow.input_of_run(asked jsonb, schema jsonb) returns jsonb
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  wanted constant jsonb := coalesce(asked, pgflow.default_of(schema, schema), '{}');
begin
  -- Most schemas have none, and a large input takes time to look through.
  if schema is null or position('"default"' in schema::text) = 0 then
    return wanted;
  end if;
  if jsonb_typeof(wanted) not in ('object', 'array') then
    return wanted;
  end if;
  return coalesce(
    (select within.filled from pgflow.filled_in(wanted, schema, schema, 0, null) as within), wanted
  );
end
$$;

comment on function pgflow.input_of_run(jsonb, jsonb) is
  'The input that was asked for, laid over the defaults of the input schema; null asks for nothing';
