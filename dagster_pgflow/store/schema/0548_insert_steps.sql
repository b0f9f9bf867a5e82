create function pgflow.insert_steps(flow_slug text, steps jsonb) returns void
language sql
set search_path to pg_catalog, pg_temp
as $$
  insert into pgflow.steps (
    flow_slug, step_slug, step_type, step_index,
    opt_max_attempts, opt_base_delay, opt_timeout, opt_start_delay,
    required_input_pattern, forbidden_input_pattern, when_unmet, when_exhausted,
    handler, params, description, subflow_slug, batch_size, input_schema, output_schema,
    run_if, run_unless, opt_max_delay, opt_jitter, collect_errors, pipelined,
    subflow_input, subflow_output, on_failure, over, mode,
    rules, default_path, wait, back_to, condition, max_iterations, break_path, timeout_path,
    max_failures, max_failures_percent, pool
  )
  select
    insert_steps.flow_slug,
    given.step ->> 'slug',
    coalesce(given.step ->> 'type', 'single'),
    given.position - 1,
    (given.step #>> '{options,max_attempts}')::integer,
    (given.step #>> '{options,base_delay}')::integer,
    (given.step #>> '{options,timeout}')::integer,
    (given.step #>> '{options,start_delay}')::integer,
    nullif(given.step -> 'if', 'null'),
    nullif(given.step -> 'if_not', 'null'),
    coalesce(given.step ->> 'when_unmet', 'skip'),
    coalesce(given.step ->> 'when_exhausted', 'fail'),
    given.step ->> 'handler',
    coalesce(nullif(given.step -> 'params', 'null'), '{}'),
    coalesce(given.step ->> 'description', ''),
    given.step ->> 'flow',
    (given.step ->> 'batch_size')::integer,
    nullif(given.step -> 'input_schema', 'null'),
    nullif(given.step -> 'output_schema', 'null'),
    given.step ->> 'run_if',
    given.step ->> 'run_unless',
    (given.step #>> '{options,max_delay}')::integer,
    given.step #>> '{options,jitter}',
    coalesce((given.step ->> 'collect_errors')::boolean, false),
    coalesce((given.step ->> 'pipelined')::boolean, false),
    nullif(given.step -> 'input', 'null'),
    nullif(given.step -> 'output', 'null'),
    given.step ->> 'on_failure',
    given.step ->> 'over',
    coalesce(given.step ->> 'mode', 'inline'),
    nullif(given.step -> 'rules', 'null'),
    pgflow.texts_of(given.step -> 'default_path'),
    coalesce(given.step ->> 'wait', 'all'),
    given.step ->> 'back_to',
    given.step ->> 'condition',
    (given.step ->> 'max_iterations')::integer,
    pgflow.texts_of(given.step -> 'break_path'),
    pgflow.texts_of(given.step -> 'timeout_path'),
    (given.step ->> 'max_failures')::integer,
    (given.step ->> 'max_failures_percent')::integer,
    given.step ->> 'pool'
  from jsonb_array_elements(insert_steps.steps) with ordinality as given (step, position);

  insert into pgflow.deps (flow_slug, dep_slug, step_slug, dep_index)
  select insert_steps.flow_slug, dep.slug, given.step ->> 'slug', min(dep.position) - 1
  from jsonb_array_elements(insert_steps.steps) as given (step)
  cross join jsonb_array_elements_text(
    coalesce(nullif(given.step -> 'depends_on', 'null'), '[]')
  ) with ordinality as dep (slug, position)
  group by dep.slug, given.step ->> 'slug';
$$;
