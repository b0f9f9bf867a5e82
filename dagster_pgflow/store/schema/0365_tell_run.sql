create function pgflow.tell_run() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  if (tg_op = 'INSERT' or new.status <> old.status) and pgflow.events_are_told() then
    perform pg_notify(
      'pgflow_events',
      pgflow.event_text(new.run_id, new.flow_slug, null, new.status, new.updated_at)
    );
  end if;
  return null;
end
$$;

comment on function pgflow.tell_run() is 'Notifies on pgflow_events that a run has another status';

create trigger run_changed after insert or update of status on pgflow.runs
for each row when (new.status in ('queued', 'started'))
execute function pgflow.tell_run();

-- A run is written before its steps. That it rests or ends is told behind all that they did.
create constraint trigger run_rests_or_ends after insert or update of status on pgflow.runs
deferrable initially deferred
for each row when (new.status not in ('queued', 'started'))
execute function pgflow.tell_run();
