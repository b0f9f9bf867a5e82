create function pgflow.create_flow(
  flow_slug text,
  max_attempts integer default null,
  base_delay integer default null,
  timeout integer default null,
  max_delay integer default null,
  jitter text default null,
  description text default '',
  tags jsonb default '{}',
  input_schema jsonb default null,
  output_schema jsonb default null,
  max_concurrent_runs integer default null,
  concurrency_key text default null,
  max_concurrent_runs_per_key integer default null,
  merge_output boolean default false,
  timeout_ms integer default null,
  on_event jsonb default null,
  max_recoveries integer default null
) returns pgflow.flows
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  flow pgflow.flows;
begin
  perform pgflow.refuse_unless_slug(create_flow.flow_slug, 'flow', 'slug_is_valid');
  perform pgflow.refuse_beyond_limits(
    given.value, format('The %s of flow "%s"', given.name, create_flow.flow_slug)
  )
  from (
    values
      ('tags', create_flow.tags),
      ('input schema', create_flow.input_schema),
      ('output schema', create_flow.output_schema),
      ('on_event', create_flow.on_event)
  ) as given (name, value);
  perform pgflow.refuse_foreign_flow(create_flow.flow_slug);
  loop
    select existing.* into flow
    from pgflow.flows as existing
    where existing.flow_slug = create_flow.flow_slug;
    exit when found;
    insert into pgflow.flows (
      flow_slug, opt_max_attempts, opt_base_delay, opt_timeout, opt_max_delay, opt_jitter,
      description, tags, input_schema, output_schema,
      opt_max_concurrent_runs, opt_concurrency_key, opt_max_concurrent_runs_per_key,
      merge_output, opt_timeout_ms, opt_on_event,
      opt_max_recoveries
    )
    values (
      create_flow.flow_slug,
      coalesce(create_flow.max_attempts, 3),
      coalesce(create_flow.base_delay, 5),
      coalesce(create_flow.timeout, 60),
      coalesce(create_flow.max_delay, 3600),
      coalesce(create_flow.jitter, 'none'),
      coalesce(create_flow.description, ''),
      coalesce(create_flow.tags, '{}'),
      create_flow.input_schema,
      create_flow.output_schema,
      create_flow.max_concurrent_runs,
      create_flow.concurrency_key,
      create_flow.max_concurrent_runs_per_key,
      coalesce(create_flow.merge_output, false),
      create_flow.timeout_ms,
      nullif(create_flow.on_event, 'null'),
      coalesce(create_flow.max_recoveries, 3)
    )
    on conflict do nothing
    returning * into flow;
    exit when found;
    -- Another session created it meanwhile, and may even have deleted it: look again.
  end loop;
  return flow;
end
$$;

comment on function pgflow.create_flow(
  text, integer, integer, integer, integer, text, text, jsonb, jsonb, jsonb, integer, text, integer, boolean,
  integer, jsonb,
  integer
) is
  'Creates a flow, or returns the one that exists unchanged; nulls mean 3 attempts, 5 s, 60 s';
