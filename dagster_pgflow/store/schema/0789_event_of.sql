create function pgflow.event_of(event_id bigint) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(
    event.content,
    jsonb_build_object(
      'type', event.type,
      'run_id', run.run_id,
      'flow', run.flow_slug,
      'status', substr(event.type, 5),
      'input', run.input,
      'output', run.output,
      'error', run.error_message,
      'started_at', pgflow.as_utc(run.started_at),
      'ended_at', pgflow.as_utc(event.happened_at)
    )
  )
  from pgflow.trigger_events as event
  left join pgflow.runs as run on run.run_id = event.run_id
  where event.event_id = event_of.event_id and (event.content is not null or run.id is not null)
$$;

comment on function pgflow.event_of(bigint) is
  'An event as triggers see it; null when the run was deleted that it tells of';
