create function pgflow.note_signal() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  perform pgflow.queue_triggers(
    'signal',
    new.signal_id::text,
    clock_timestamp(),
    new.name,
    new.tenants,
    new.sent_from,
    jsonb_build_object(
      'type', 'signal', 'name', new.name, 'key', new.key, 'payload', new.payload
    )
  );
  return null;
end
$$;

comment on function pgflow.note_signal() is
  'Queues a signal for the triggers that name it, whoever else waits for it';

create trigger signal_is_an_event after insert on pgflow.signals
for each row execute function pgflow.note_signal();
