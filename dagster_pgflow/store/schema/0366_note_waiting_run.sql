create function pgflow.note_waiting_run() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  -- One that has lost its process goes on at once, and keeps its place.
  if exists (
    select
    from pgflow.run_continuations as recovery
    where recovery.run_id = new.run_id and recovery.kind = 'recover' and recovery.ended_at is null
  ) then
    return null;
  end if;
  update pgflow.run_requests as request
  set ended_at = clock_timestamp()
  where request.run_id = new.run_id and request.ended_at is null;
  -- What it waits for may have come before it waited, and there may be room for another run.
  perform pg_notify('pgflow_runs', new.run_id::text);
  return null;
end
$$;

comment on function pgflow.note_waiting_run() is
  'Frees the place of a run that waits, and has those look who take requests and waits';

create trigger run_waits after insert or update of status on pgflow.runs
for each row when (new.status = 'waiting')
execute function pgflow.note_waiting_run();
