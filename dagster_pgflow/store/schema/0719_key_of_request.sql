create function pgflow.key_of_request(expression text, input jsonb) returns text
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  value jsonb;
begin
  if expression is null then
    return '';
  end if;
  if expression !~ '^input([.][a-zA-Z_][a-zA-Z0-9_]*)+$' then
    return null;
  end if;
  value := input #> (string_to_array(expression, '.'))[2:];
  -- These have one way to be written, which Python shares; of all else it makes the key.
  if
    octet_length(value::text) <= 200
    and (
      jsonb_typeof(value) in ('string', 'boolean', 'null')
      or value::text ~ '^-?[0-9]{1,15}$'
    )
  then
    return value::text;
  end if;
  return null;
end
$$;

comment on function pgflow.key_of_request(text, jsonb) is
  'The concurrency key of an input, where the expression is a plain path; null where CEL is needed';
