-- At once the first time. What kills a run each time shall not do so without a pause.
create function pgflow.recover_run(run_id uuid, number integer) returns boolean
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  before integer;
begin
  perform pg_advisory_xact_lock(pgflow.lock_of_continuations(recover_run.run_id));
  select count(*) into before
  from pgflow.run_continuations as earlier
  where earlier.run_id = recover_run.run_id
    and earlier.kind = 'recover'
    and earlier.number < recover_run.number;
  insert into pgflow.run_continuations (run_id, number, kind, not_before)
  values (
    recover_run.run_id,
    recover_run.number,
    'recover',
    case when before > 0 then
      clock_timestamp() + make_interval(secs => least(10 * power(6, least(before, 5) - 1), 600))
    end
  )
  on conflict do nothing;
  if not found then
    return false;
  end if;
  perform pg_notify('pgflow_runs', recover_run.run_id::text);
  return true;
end
$$;

comment on function pgflow.recover_run(uuid, integer) is
  'Has a run go on that has lost its process, in its Dagster run of this number, counted behind the first; false where that is seen to already';
