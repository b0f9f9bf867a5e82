create function pgflow.is_setting(value jsonb, wanted text) returns boolean
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case wanted
    when 'text' then jsonb_typeof(value) = 'string'
    when 'true or false' then jsonb_typeof(value) = 'boolean'
    when 'a list' then jsonb_typeof(value) = 'array'
    when 'a list of texts' then
      jsonb_typeof(value) = 'array'
      and not jsonb_path_exists(value, 'strict $[*] ? (@.type() != "string")')
    when 'a list of whole numbers' then
      jsonb_typeof(value) = 'array'
      and not jsonb_path_exists(
        value,
        'strict $[*] ? (
          @.type() != "number" || @.floor() != @ || @ < -2147483648 || @ > 2147483647
        )'
      )
    when 'any value' then value is not null
    when 'an object' then jsonb_typeof(value) = 'object'
    when 'an object or true' then jsonb_typeof(value) = 'object' or value = 'true'
    when 'an object or text' then jsonb_typeof(value) in ('object', 'string')
    when 'a whole number' then
      jsonb_typeof(value) = 'number'
      and value::text ~ '^-?[0-9]{1,10}$'
      and value::text::bigint between -2147483648 and 2147483647
    when 'text or a whole number' then
      jsonb_typeof(value) = 'string' or pgflow.is_setting(value, 'a whole number')
    else false
  end
$$;

comment on function pgflow.is_setting(jsonb, text) is
  'Whether a value is what settings_of wants, in its words';
