create function pgflow.insert_schedules(flow_slug text, schedules jsonb) returns void
language sql
set search_path to pg_catalog, pg_temp
as $$
  insert into pgflow.schedules (flow_slug, schedule_slug, cron, timezone, input, enabled)
  select
    insert_schedules.flow_slug,
    given.schedule ->> 'slug',
    given.schedule ->> 'cron',
    coalesce(given.schedule ->> 'timezone', 'UTC'),
    coalesce(given.schedule -> 'input', '{}'),
    coalesce((given.schedule ->> 'enabled')::boolean, true)
  from jsonb_array_elements(insert_schedules.schedules) as given (schedule);
$$;
