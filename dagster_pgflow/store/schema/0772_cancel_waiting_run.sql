create function pgflow.cancel_waiting_run(run_id uuid) returns boolean
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  status text;
  under_way pgflow.run_continuations;
begin
  perform pg_advisory_xact_lock(pgflow.lock_of_continuations(cancel_waiting_run.run_id));
  select run.status into status
  from pgflow.runs as run
  where run.run_id = cancel_waiting_run.run_id;
  if not found then
    raise exception 'There is no run %.', coalesce(cancel_waiting_run.run_id::text, 'without an id')
      using errcode = 'no_data_found';
  elsif status <> 'waiting' then
    return false;
  end if;
  select continuation.* into under_way
  from pgflow.run_continuations as continuation
  where continuation.run_id = cancel_waiting_run.run_id and continuation.ended_at is null;
  -- One that nobody has claimed has no Dagster run that could do something.
  if under_way.kind = 'cancel' or under_way.claimed_at is not null then
    return under_way.kind = 'cancel';
  end if;
  perform pgflow.close_wait(wait.wait_id, 'cancelled')
  from (
    select open.wait_id
    from pgflow.waits as open
    where open.run_id = cancel_waiting_run.run_id and open.status = 'open'
    order by open.wait_id
    for update
  ) as wait;
  update pgflow.run_continuations as instead
  set kind = 'cancel', not_before = null
  where instead.run_id = cancel_waiting_run.run_id and instead.ended_at is null;
  if not found then
    insert into pgflow.run_continuations (run_id, number, kind)
    select cancel_waiting_run.run_id, 1 + coalesce(max(before.number), 0), 'cancel'
    from pgflow.run_continuations as before
    where before.run_id = cancel_waiting_run.run_id;
  end if;
  perform pg_notify('pgflow_runs', cancel_waiting_run.run_id::text);
  return true;
end
$$;

comment on function pgflow.cancel_waiting_run(uuid) is
  'Ends the waits of a run that waits, and has it go on to its end; false when it does not wait, or goes on already';
