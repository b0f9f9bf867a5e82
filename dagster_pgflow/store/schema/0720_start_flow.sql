create function pgflow.start_flow(
  flow_slug text,
  input jsonb default null,
  run_id uuid default null,
  priority integer default 0
) returns pgflow.runs
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  wanted_run_id constant uuid := coalesce(start_flow.run_id, gen_random_uuid());
  flow pgflow.flows;
  version pgflow.flow_versions;
  run pgflow.runs;
  filled_input jsonb;
  key text;
  problem text;
begin
  perform pgflow.refuse_foreign_flow(start_flow.flow_slug);
  -- Only where it can be there: of two serializable starts that look for runs, one must fail.
  if start_flow.run_id is not null then
    run := pgflow.run_started_as(wanted_run_id, start_flow.flow_slug, start_flow.input);
    if run.id is not null then
      return run;
    end if;
  end if;

  select existing.* into flow
  from pgflow.flows as existing
  where existing.flow_slug = start_flow.flow_slug
  for key share;
  if not found then
    perform pgflow.refuse_unknown_flow(start_flow.flow_slug);
  end if;
  perform pgflow.refuse_beyond_limits(
    start_flow.input, format('The input of flow "%s"', flow.flow_slug)
  );
  filled_input := pgflow.input_of_run(start_flow.input, flow.input_schema);
  if filled_input is distinct from start_flow.input then
    perform pgflow.refuse_beyond_limits(
      filled_input, format('The input of flow "%s", with its defaults,', flow.flow_slug)
    );
  end if;
  problem := pgflow.schema_problem(filled_input, flow.input_schema, flow.input_schema, 'input');
  if problem is not null then
    raise exception 'Flow "%" cannot start with this input: %.', flow.flow_slug, problem
      using errcode = 'invalid_parameter_value', constraint = 'input_fits_its_schema';
  end if;

  perform pgflow.refuse_open_failure_step(flow.flow_slug);
  perform pgflow.refuse_open_route(flow.flow_slug);

  -- Marks of other transactions are invisible: these are flows that this one has just changed.
  perform pgflow.publish_flow(unpublished.flow_slug) from pgflow.unpublished_flows as unpublished;
  version := pgflow.newest_version(flow.flow_slug);

  key := pgflow.key_of_request(flow.opt_concurrency_key, filled_input);
  insert into pgflow.run_requests (
    run_id, flow_slug, version_id, input, asked_hash, priority, tenant, concurrency_key, awaits_key
  )
  values (
    wanted_run_id,
    flow.flow_slug,
    pgflow.watermark_of(flow.flow_slug),
    filled_input,
    pgflow.asked_hash(start_flow.input),
    coalesce(start_flow.priority, 0),
    left(coalesce(flow.tags ->> 'tenant', ''), 128),
    coalesce(key, ''),
    key is null
  )
  on conflict do nothing;
  if not found then
    -- Another session was first, and has committed meanwhile.
    return pgflow.run_started_as(wanted_run_id, flow.flow_slug, start_flow.input);
  end if;
  insert into pgflow.runs (run_id, flow_slug, flow_version, version_id, input)
  values (wanted_run_id, flow.flow_slug, version.version, version.version_id, filled_input)
  returning * into run;
  perform pg_notify('pgflow_runs', wanted_run_id::text);
  return run;
end
$$;

comment on function pgflow.start_flow(text, jsonb, uuid, integer) is
  'Asks Dagster to run a flow, on the input laid over its defaults, and returns the queued run; the same run_id again starts nothing new. Requests of a higher priority are taken first';
