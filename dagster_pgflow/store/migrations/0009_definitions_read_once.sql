-- old code: works

set local check_function_bodies to off;

drop trigger steps_count_removed_deps on pgflow.deps;

drop trigger steps_count_deps_before on pgflow.deps;

drop trigger steps_count_deps_after on pgflow.deps;

drop trigger steps_count_added_deps on pgflow.deps;

CREATE OR REPLACE FUNCTION pgflow.count_deps() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  change constant integer := tg_argv[0];
begin
  update pgflow.steps as step
  set deps_count = step.deps_count + change * counted.deps
  from (
    select flow_slug, step_slug, count(*)::integer as deps
    from changed_deps
    group by flow_slug, step_slug
  ) as counted
  where step.flow_slug = counted.flow_slug and step.step_slug = counted.step_slug;
  return null;
end
$$;

CREATE OR REPLACE FUNCTION pgflow.step_definitions(flow_slug text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE TRIGGER steps_count_added_deps AFTER INSERT ON pgflow.deps REFERENCING NEW TABLE AS changed_deps FOR EACH STATEMENT EXECUTE FUNCTION pgflow.count_deps('1');

CREATE TRIGGER steps_count_old_deps AFTER UPDATE ON pgflow.deps REFERENCING OLD TABLE AS changed_deps FOR EACH STATEMENT EXECUTE FUNCTION pgflow.count_deps('-1');

CREATE TRIGGER steps_count_removed_deps AFTER DELETE ON pgflow.deps REFERENCING OLD TABLE AS changed_deps FOR EACH STATEMENT EXECUTE FUNCTION pgflow.count_deps('-1');

CREATE TRIGGER steps_count_renewed_deps AFTER UPDATE ON pgflow.deps REFERENCING NEW TABLE AS changed_deps FOR EACH STATEMENT EXECUTE FUNCTION pgflow.count_deps('1');
