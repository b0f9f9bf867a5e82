create function pgflow.queue_delivery() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  told constant text := 'run.' || new.status;
  delivery_id constant uuid := gen_random_uuid();
  webhook jsonb;
begin
  -- What happened too long ago to be sent is what a rebuild, or the first look at old runs, finds.
  if tg_op = 'UPDATE' and new.status = old.status
    or new.updated_at < clock_timestamp() - interval '1 day' then
    return null;
  end if;
  select version.definition #> '{options,on_event}' into webhook
  from pgflow.flow_versions as version
  where version.version_id = new.version_id;
  if webhook is null or not pgflow.is_webhook(webhook)
    or not coalesce(webhook -> 'events' ? told, true) then
    return null;
  end if;
  insert into pgflow.webhook_deliveries (
    delivery_id, run_id, flow_slug, event, happened_at, url, secret_name, allow_private, body
  )
  values (
    delivery_id, new.run_id, new.flow_slug, told, new.updated_at,
    webhook ->> 'url', webhook ->> 'secret',
    coalesce((webhook ->> 'allow_private')::boolean, false),
    json_build_object(
      'delivery', delivery_id,
      'event', told,
      'run', new.run_id,
      'flow', new.flow_slug,
      'version', new.flow_version,
      'status', new.status,
      'at', pgflow.as_utc(new.updated_at)
    )::text
  )
  on conflict do nothing;
  return null;
end
$$;

comment on function pgflow.queue_delivery() is
  'Notes what is to be told to the webhook that the run''s version of the flow named';

create trigger run_is_for_a_webhook after insert or update of status on pgflow.runs
for each row when (new.status in ('waiting', 'completed', 'failed', 'cancelled'))
execute function pgflow.queue_delivery();
