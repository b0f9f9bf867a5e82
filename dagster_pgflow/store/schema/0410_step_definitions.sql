create function pgflow.step_definitions(flow_slug text) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select jsonb_agg(
    jsonb_strip_nulls(jsonb_build_object(
      'type', step.step_type,
      'slug', step.step_slug,
      'description', nullif(step.description, ''),
      'depends_on', needed.slugs,
      'handler', step.handler,
      'pool', step.pool,
      'batch_size', step.batch_size,
      'collect_errors', nullif(step.collect_errors, false),
      'pipelined', nullif(step.pipelined, false),
      'max_failures', step.max_failures,
      'max_failures_percent', step.max_failures_percent,
      'flow', step.subflow_slug,
      'on_failure', step.on_failure,
      'over', step.over,
      'mode', nullif(step.mode, 'inline'),
      'default_path', nullif(to_jsonb(step.default_path), '[]'),
      'wait', case
        when step.wait = 'any' then to_jsonb(step.wait)
        when step.wait <> 'all' then to_jsonb(step.wait::integer)
      end,
      'back_to', step.back_to,
      'condition', step.condition,
      'max_iterations', step.max_iterations,
      'break_path', nullif(to_jsonb(step.break_path), '[]'),
      'timeout_path', nullif(to_jsonb(step.timeout_path), '[]'),
      'run_if', step.run_if,
      'run_unless', step.run_unless,
      'when_unmet', nullif(step.when_unmet, 'skip'),
      'when_exhausted', nullif(step.when_exhausted, 'fail'),
      'options', nullif(jsonb_strip_nulls(jsonb_build_object(
        'max_attempts', step.opt_max_attempts,
        'base_delay', step.opt_base_delay,
        'timeout', step.opt_timeout,
        'max_delay', step.opt_max_delay,
        'jitter', step.opt_jitter,
        'start_delay', step.opt_start_delay
      )), '{}')
    ))
    -- What the author wrote is added as it is: stripping nulls would reach into it.
    || pgflow.json_field('params', nullif(step.params, '{}'))
    || pgflow.json_field('if', step.required_input_pattern)
    || pgflow.json_field('if_not', step.forbidden_input_pattern)
    || pgflow.json_field('input_schema', step.input_schema)
    || pgflow.json_field('output_schema', step.output_schema)
    || pgflow.json_field('input', step.subflow_input)
    || pgflow.json_field('output', step.subflow_output)
    || pgflow.json_field('rules', step.rules)
    order by step.step_index
  )
  from pgflow.steps as step
  left join lateral (
    select jsonb_agg(dep.dep_slug order by dep.dep_index, dep.dep_slug) as slugs
    from pgflow.deps as dep
    where dep.flow_slug = step.flow_slug and dep.step_slug = step.step_slug
  ) as needed on true
  where step.flow_slug = step_definitions.flow_slug
$$;

comment on function pgflow.step_definitions(text) is
  'The steps of a flow as JSON, in the order of definition; null when it has none';
