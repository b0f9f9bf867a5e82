create function pgflow.refuse_run(run_id uuid, reason text) returns boolean
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  update pgflow.run_requests as request
  set refused_at = now(), refused_reason = refuse_run.reason
  where request.run_id = refuse_run.run_id and request.refused_at is null;
  if not found then
    return false;
  end if;
  -- A run that Dagster already has is Dagster's to judge.
  update pgflow.runs as run
  set status = 'failed', error_message = refuse_run.reason, failed_at = now(), updated_at = now()
  where run.run_id = refuse_run.run_id and run.status = 'queued' and run.dagster_run_id is null;
  return true;
end
$$;

comment on function pgflow.refuse_run(uuid, text) is
  'Ends a request that cannot be run, with the reason in its run; whether there was one to end';
