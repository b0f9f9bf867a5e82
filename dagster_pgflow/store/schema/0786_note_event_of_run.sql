create function pgflow.note_event_of_run() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  event_type constant text := 'run.' || new.status;
  tenant text;
begin
  if not exists (
    select
    from pgflow.triggers as listening
    where listening.enabled and listening.on_event = event_type
  ) then
    return null;
  end if;
  begin
    select pinned.definition #>> '{tags,tenant}' into tenant
    from pgflow.flow_versions as pinned
    where pinned.flow_slug = new.flow_slug and pinned.version = new.flow_version;
    if not found then
      select flow.tags ->> 'tenant' into tenant
      from pgflow.flows as flow
      where flow.flow_slug = new.flow_slug;
    end if;
    perform pgflow.queue_triggers(
      event_type,
      new.run_id::text,
      coalesce(new.completed_at, new.failed_at, clock_timestamp()),
      new.flow_slug,
      array[coalesce(tenant, '')],
      new.run_id,
      null
    );
  exception
    when others then
      -- Whatever is wrong with triggers, the run has ended.
      raise warning 'No trigger learns of the end of run %: %', new.run_id, sqlerrm;
  end;
  return null;
end
$$;

comment on function pgflow.note_event_of_run() is
  'Queues the end of a run for the triggers that it concerns, and never keeps it from ending';

create trigger run_is_an_event after insert or update of status on pgflow.runs
for each row when (new.status in ('completed', 'failed', 'cancelled'))
execute function pgflow.note_event_of_run();
