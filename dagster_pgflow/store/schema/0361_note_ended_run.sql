create function pgflow.note_ended_run() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  update pgflow.run_requests as request
  set ended_at = clock_timestamp()
  where request.run_id = new.run_id and request.ended_at is null;
  update pgflow.waits as wait
  set
    status = case wait.status when 'open' then 'cancelled' else wait.status end,
    closed_at = coalesce(wait.closed_at, clock_timestamp()),
    taken_at = coalesce(wait.taken_at, clock_timestamp())
  where wait.run_id = new.run_id and wait.taken_at is null;
  perform pg_notify('pgflow_runs_ended', new.run_id::text);
  -- There may be room for one that waits: whoever takes requests shall look.
  if exists (
    select
    from pgflow.flows as flow
    where flow.flow_slug = new.flow_slug
      and (flow.opt_max_concurrent_runs, flow.opt_max_concurrent_runs_per_key) is distinct from (null, null)
  ) then
    perform pg_notify('pgflow_runs', new.run_id::text);
  end if;
  return null;
end
$$;

comment on function pgflow.note_ended_run() is
  'Frees the place of a run that is over, ends its waits, and tells who waits for its end';

create trigger run_is_over after insert or update of status on pgflow.runs
for each row when (new.status in ('completed', 'failed', 'cancelled'))
execute function pgflow.note_ended_run();
