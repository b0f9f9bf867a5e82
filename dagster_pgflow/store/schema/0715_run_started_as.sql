create function pgflow.run_started_as(run_id uuid, flow_slug text, input jsonb) returns pgflow.runs
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  run pgflow.runs;
begin
  select existing.* into run
  from pgflow.runs as existing
  where existing.run_id = run_started_as.run_id;
  if not found then
    return null;
  end if;
  if run.flow_slug <> run_started_as.flow_slug or run.input <> run_started_as.input then
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
