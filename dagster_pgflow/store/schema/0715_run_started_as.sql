create function pgflow.run_started_as(run_id uuid, flow_slug text, input jsonb) returns pgflow.runs
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  run pgflow.runs;
  is_same boolean;
begin
  select existing.* into run
  from pgflow.runs as existing
  where existing.run_id = run_started_as.run_id;
  if not found then
    return null;
  end if;
  -- Defaults may have changed since: what was asked for is what counts.
  select pgflow.asked_hash(run_started_as.input) is not distinct from request.asked_hash
  into is_same
  from pgflow.run_requests as request
  where request.run_id = run.run_id;
  if is_same is not true then
    is_same := run.input = pgflow.input_of_run(
      run_started_as.input,
      (
        select version.definition -> 'input_schema'
        from pgflow.flow_versions as version
        where version.version_id = run.version_id
      )
    );
  end if;
  if run.flow_slug <> run_started_as.flow_slug or is_same is not true then
    raise exception 'Run % already exists with another % (flow "%"); use a new run_id.',
      run.run_id,
      case when run.flow_slug <> run_started_as.flow_slug then 'flow' else 'input' end,
      run.flow_slug
      using errcode = 'unique_violation', constraint = 'runs_run_id_key';
  end if;
  return run;
end
$$;

comment on function pgflow.run_started_as(uuid, text, jsonb) is
  'The run with this id, if there is one; raises when it is the run of another flow or input';
