create function pgflow.referred_schema(reference jsonb, root jsonb) returns jsonb
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  place constant text := reference #>> '{}';
  found jsonb := root;
  key text;
begin
  if jsonb_typeof(reference) is distinct from 'string' or place like '%\%%'
    or (place <> '#' and place not like '#/%')
  then
    return null;
  end if;
  foreach key in array (string_to_array(place, '/'))[2:] loop
    key := replace(replace(key, '~1', '/'), '~0', '~');
    if jsonb_typeof(found) <> 'object' then
      return null;
    end if;
    found := found -> key;
  end loop;
  return found;
end
$$;

comment on function pgflow.referred_schema(jsonb, jsonb) is
  'The part of a JSON Schema that a $ref within it names; null where it leads elsewhere';
