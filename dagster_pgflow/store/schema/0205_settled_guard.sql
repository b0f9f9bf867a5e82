create function pgflow.settled_guard(guard text, given jsonb) returns jsonb
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case
    when not pgflow.guard_fields() ? guard then given
    when given = 'true' then '{}'
    when jsonb_typeof(given) <> 'object' then given
    else coalesce(
      (
        select jsonb_object_agg(field.name, field.value)
        from jsonb_each(given) as field (name, value)
        where field.value <> 'null'
          and field.value
            is distinct from pgflow.guard_fields() #> array[guard, field.name, 'default']
      ),
      '{}'
    )
  end
$$;

comment on function pgflow.settled_guard(text, jsonb) is
  'A guard without what is as by default; any other setting as it is';
