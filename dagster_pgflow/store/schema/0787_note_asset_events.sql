create function pgflow.note_asset_events(events jsonb) returns integer
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  given jsonb;
  queued integer := 0;
begin
  perform pgflow.refuse_unless_all_is_seen('say that assets were materialized');
  for given in select element.value from jsonb_array_elements(events) as element (value) loop
    queued := queued + pgflow.queue_triggers(
      'asset.materialized',
      given ->> 'source',
      to_timestamp((given ->> 'timestamp')::double precision),
      given #>> '{event,asset_key}',
      null,
      (
        select run.run_id
        from pgflow.runs as run
        where run.dagster_run_id::text = given #>> '{event,run_id}'
      ),
      given -> 'event'
    );
  end loop;
  return queued;
end
$$;

comment on function pgflow.note_asset_events(jsonb) is
  'Queues materializations of assets for the triggers that name these; returns how many have one to look at';
