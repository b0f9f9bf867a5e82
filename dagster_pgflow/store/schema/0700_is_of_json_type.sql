create function pgflow.is_of_json_type(value jsonb, wanted text) returns boolean
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case wanted
    -- JSON Schema counts 1.0 as an integer.
    when 'integer' then case
      when jsonb_typeof(value) = 'number' then value::numeric = trunc(value::numeric)
      else false
    end
    else jsonb_typeof(value) = wanted
  end
$$;
