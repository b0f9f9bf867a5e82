-- The dependencies are gathered once, and found by their step in what was gathered: joined, or asked
-- for step by step, they would be read whole for each step where statistics say that there are few.
create function pgflow.step_definitions(flow_slug text) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with needed as materialized (
    select coalesce(jsonb_object_agg(listed.step_slug, listed.slugs), '{}') as by_step
    from (
      select dep.step_slug, jsonb_agg(dep.dep_slug order by dep.dep_index, dep.dep_slug) as slugs
      from pgflow.deps as dep
      where dep.flow_slug = step_definitions.flow_slug
      group by dep.step_slug
    ) as listed
  )
  select jsonb_agg(
    jsonb_strip_nulls(jsonb_build_object(
      'type', step.step_type,
      'slug', step.step_slug,
      'description', nullif(step.description, ''),
      'depends_on', needed.by_step -> step.step_slug,
      'handler', step.handler,
      'pool', step.pool,
      'flow', step.subflow_slug,
      'run_if', step.run_if,
      'run_unless', step.run_unless,
      'when_unmet', nullif(step.when_unmet, 'skip'),
      'when_exhausted', nullif(step.when_exhausted, 'fail'),
      'options', nullif(jsonb_strip_nulls(jsonb_build_object(
        'max_attempts', step.opt_max_attempts,
        'base_delay', step.opt_base_delay,
        'timeout', step.opt_timeout,
        'timeout_ms', step.opt_timeout_ms,
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
    || step.settings
    order by step.step_index
  )
  from pgflow.steps as step
  cross join needed
  where step.flow_slug = step_definitions.flow_slug
$$;

comment on function pgflow.step_definitions(text) is
  'The steps of a flow as JSON, in the order of definition; null when it has none';
