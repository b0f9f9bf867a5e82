create function pgflow.refuse_bad_settings(
  flow_slug text, step_slug text, step_type text, settings jsonb
) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  known constant jsonb := pgflow.settings_of(step_type);
  broken_constraint text := 'settings_are_an_object';
  problem text;
begin
  if settings = '{}' or known is null then
    return;  -- That there is such a kind, another constraint says.
  elsif jsonb_typeof(settings) is distinct from 'object' then
    problem := 'has settings that are not an object; name each setting, such as {"batch_size": 10}';
  else
    select
      case
        when known ? setting.name then 'settings_have_their_types'
        else 'settings_fit_the_kind'
      end,
      case
        when not known ? setting.name then format(
          'has the setting "%s", which no %s step has; leave it out', setting.name, step_type
        )
        else format(
          'has the setting "%s", which must be %s', setting.name, known #>> array[setting.name, 'is']
        )
      end
    into broken_constraint, problem
    from jsonb_each(settings) as setting (name, value)
    where not coalesce(
      pgflow.is_setting(setting.value, known #>> array[setting.name, 'is']), false
    )
    order by setting.name
    limit 1;
  end if;
  perform pgflow.refuse_step(flow_slug, step_slug, broken_constraint, problem);
  perform pgflow.refuse_bad_guards(flow_slug, step_slug, settings);
end
$$;

comment on function pgflow.refuse_bad_settings(text, text, text, jsonb) is
  'Raises when a step has a setting that its kind has not, or one of the wrong type';
