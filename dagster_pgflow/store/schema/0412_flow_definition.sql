create function pgflow.flow_definition(flow_slug text) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select
    jsonb_strip_nulls(jsonb_build_object(
      'slug', flow.flow_slug,
      'description', nullif(flow.description, ''),
      'merge_output', nullif(flow.merge_output, false),
      'options', nullif(jsonb_strip_nulls(jsonb_build_object(
        'max_attempts', nullif(flow.opt_max_attempts, 3),
        'base_delay', nullif(flow.opt_base_delay, 5),
        'timeout', nullif(flow.opt_timeout, 60),
        'timeout_ms', flow.opt_timeout_ms,
        'max_delay', nullif(flow.opt_max_delay, 3600),
        'jitter', nullif(flow.opt_jitter, 'none'),
        'max_concurrent_runs', flow.opt_max_concurrent_runs,
        'concurrency_key', flow.opt_concurrency_key,
        'max_concurrent_runs_per_key', flow.opt_max_concurrent_runs_per_key,
        'on_event', flow.opt_on_event,
        'max_recoveries', nullif(flow.opt_max_recoveries, 3)
      )), '{}')
    ))
    || pgflow.json_field('tags', nullif(flow.tags, '{}'))
    || pgflow.json_field('input_schema', flow.input_schema)
    || pgflow.json_field('output_schema', flow.output_schema)
    || pgflow.json_field('steps', pgflow.step_definitions(flow.flow_slug))
    || pgflow.json_field('schedules', pgflow.schedule_definitions(flow.flow_slug))
  from pgflow.flows as flow
  where flow.flow_slug = flow_definition.flow_slug
$$;

comment on function pgflow.flow_definition(text) is
  'A flow as JSON, without what equals a default; null when there is no such flow';
