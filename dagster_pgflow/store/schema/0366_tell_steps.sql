create function pgflow.tell_steps() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  news text[];
begin
  if not exists (select from written) or not pgflow.events_are_told() then
    return null;
  end if;
  if tg_op = 'INSERT' then
    news := array(
      select pgflow.event_text(step.run_id, step.flow_slug, step.step_path, step.status, step.at)
      from (
        select
          written.*,
          greatest(
            written.created_at, written.started_at, written.completed_at, written.failed_at,
            written.skipped_at, written.waiting_since
          ) as at
        from written
        where written.status <> 'created'
      ) as step
      order by step.at, step.step_path
    );
  else
    news := array(
      select pgflow.event_text(step.run_id, step.flow_slug, step.step_path, step.status, step.at)
      from (
        select
          written.*,
          greatest(
            written.created_at, written.started_at, written.completed_at, written.failed_at,
            written.skipped_at, written.waiting_since
          ) as at
        from written
        join replaced using (run_id, step_path)
        where written.status <> replaced.status
      ) as step
      order by step.at, step.step_path
    );
  end if;
  perform pg_notify('pgflow_events', told.event)
  from unnest(news) as told (event);
  return null;
end
$$;

comment on function pgflow.tell_steps() is
  'Notifies on pgflow_events which steps have another status; that they begin as created goes without saying';

create trigger steps_inserted after insert on pgflow.step_states
referencing new table as written
for each statement execute function pgflow.tell_steps();

create trigger steps_updated after update on pgflow.step_states
referencing old table as replaced new table as written
for each statement execute function pgflow.tell_steps();
