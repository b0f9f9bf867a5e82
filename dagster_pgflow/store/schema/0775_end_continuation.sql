create function pgflow.end_continuation(run_id uuid, number integer) returns boolean
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  update pgflow.run_continuations as continuation
  set ended_at = clock_timestamp()
  where continuation.run_id = end_continuation.run_id
    and continuation.number = end_continuation.number
    and continuation.ended_at is null;
  if not found then
    return false;
  end if;
  -- An answer may have come meanwhile.
  perform pg_notify('pgflow_runs', end_continuation.run_id::text);
  return true;
end
$$;

comment on function pgflow.end_continuation(uuid, integer) is
  'Notes that the Dagster run of a continuation is over, so that the run may go on again; whether it was under way';
