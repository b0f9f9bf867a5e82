create function pgflow.queue_triggers(
  event_type text,
  event_source text,
  happened_at timestamptz,
  about text,
  tenants text[],
  run_id uuid,
  content jsonb
) returns integer
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  concerned bigint[];
  noted bigint;
  queued integer;
begin
  select array_agg(listening.trigger_id) into concerned
  from pgflow.triggers as listening
  join pgflow.flows as target on target.flow_slug = listening.target_flow
  where listening.enabled
    and listening.on_event = queue_triggers.event_type
    and listening.active_since <= queue_triggers.happened_at
    and queue_triggers.happened_at >= coalesce(
      (select store.pruned_before from pgflow.store as store), '-infinity'
    )
    and case listening.on_event
      when 'asset.materialized' then listening.asset_key = queue_triggers.about
      when 'signal' then
        listening.signal_name = queue_triggers.about
        and array[coalesce(target.tags ->> 'tenant', ''), '*'] && queue_triggers.tenants
      else
        coalesce(
          listening.source_flow = queue_triggers.about,
          listening.target_flow <> queue_triggers.about
        )
        and array[coalesce(target.tags ->> 'tenant', '')] = queue_triggers.tenants
    end;
  if concerned is null then
    return 0;
  end if;
  insert into pgflow.trigger_events (type, source, run_id, content, happened_at)
  values (
    event_type, event_source, queue_triggers.run_id, queue_triggers.content,
    queue_triggers.happened_at
  )
  on conflict on constraint each_event_is_noted_once do nothing
  returning event_id into noted;
  if noted is null then
    select known.event_id into noted
    from pgflow.trigger_events as known
    where known.type = queue_triggers.event_type and known.source = queue_triggers.event_source;
  end if;
  insert into pgflow.trigger_outcomes (trigger_id, event_id, trigger_name)
  select listening.trigger_id, noted, listening.name
  from pgflow.triggers as listening
  where listening.trigger_id = any (concerned)
  order by listening.trigger_id
  on conflict on constraint trigger_outcomes_pkey do nothing;
  get diagnostics queued = row_count;
  if queued > 0 then
    perform pg_notify('pgflow_runs', noted::text);
  end if;
  return queued;
end
$$;

comment on function pgflow.queue_triggers(text, text, timestamptz, text, text[], uuid, jsonb) is
  'Notes an event for the triggers that it concerns, and returns how many have it to look at; the same event again is none';
