-- A setting has one form, so that equal steps are equal rows: what is as by default is absent.
create function pgflow.settled(given jsonb, step_type text) returns jsonb
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case
    when jsonb_typeof(given) <> 'object' or given = '{}' then given
    else coalesce(
      (
        select jsonb_object_agg(
          setting.name, pgflow.settled_guard(setting.name, setting.value)
        )
        from jsonb_each(given) as setting (name, value)
        where setting.value is distinct from known.settings #> array[setting.name, 'default']
          -- What takes any value at all says nothing with null.
          and (
            setting.value <> 'null'
            or known.settings #>> array[setting.name, 'is'] is distinct from 'any value'
          )
      ),
      '{}'
    )
  end
  from (select pgflow.settings_of(step_type)) as known (settings)
$$;

comment on function pgflow.settled(jsonb, text) is
  'The settings of a step of a kind without those that are as by default';
