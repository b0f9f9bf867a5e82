create function pgflow.schedule_definitions(flow_slug text) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select jsonb_agg(
    jsonb_strip_nulls(jsonb_build_object(
      'slug', schedule.schedule_slug,
      'cron', schedule.cron,
      'timezone', nullif(schedule.timezone, 'UTC'),
      'enabled', nullif(schedule.enabled, true)
    ))
    || pgflow.json_field('input', nullif(schedule.input, '{}'))
    order by schedule.schedule_slug collate "C"
  )
  from pgflow.schedules as schedule
  where schedule.flow_slug = schedule_definitions.flow_slug
$$;

comment on function pgflow.schedule_definitions(text) is
  'The schedules of a flow as JSON, by slug; null when it has none';
