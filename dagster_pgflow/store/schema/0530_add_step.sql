create function pgflow.add_step(
  flow_slug text,
  step_slug text,
  deps_slugs text[] default '{}',
  max_attempts integer default null,
  base_delay integer default null,
  timeout integer default null,
  start_delay integer default null,
  step_type text default 'single',
  required_input_pattern jsonb default null,
  forbidden_input_pattern jsonb default null,
  when_unmet text default 'skip',
  when_exhausted text default 'fail',
  handler text default null,
  params jsonb default '{}',
  description text default '',
  subflow_slug text default null,
  batch_size integer default null,
  input_schema jsonb default null,
  output_schema jsonb default null,
  initial_tasks integer default null,
  run_if text default null,
  run_unless text default null,
  max_delay integer default null,
  jitter text default null,
  collect_errors boolean default false,
  pipelined boolean default false,
  subflow_input jsonb default null,
  subflow_output jsonb default null,
  on_failure text default null,
  over text default null,
  mode text default 'inline',
  rules jsonb default null,
  default_path text[] default '{}',
  wait text default 'all',
  back_to text default null,
  condition text default null,
  max_iterations integer default null,
  break_path text[] default '{}',
  timeout_path text[] default '{}',
  max_failures integer default null,
  max_failures_percent integer default null,
  pool text default null
) returns pgflow.steps
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  deps constant text[] := pgflow.each_once(add_step.deps_slugs);
  step pgflow.steps;
  stored pgflow.steps;
  differences text;
begin
  perform pgflow.refuse_beyond_limits(
    given.value, format('The %s of step "%s"', given.name, add_step.step_slug)
  )
  from (
    values
      ('params', add_step.params),
      ('input schema', add_step.input_schema),
      ('output schema', add_step.output_schema),
      ('required input', add_step.required_input_pattern),
      ('forbidden input', add_step.forbidden_input_pattern),
      ('input mapping', add_step.subflow_input),
      ('output mapping', add_step.subflow_output),
      ('rules', add_step.rules)
  ) as given (name, value);
  step.flow_slug := add_step.flow_slug;
  step.step_slug := add_step.step_slug;
  step.step_type := coalesce(add_step.step_type, 'single');
  step.deps_count := 0;
  step.opt_max_attempts := add_step.max_attempts;
  step.opt_base_delay := add_step.base_delay;
  step.opt_timeout := add_step.timeout;
  step.opt_start_delay := add_step.start_delay;
  step.required_input_pattern := add_step.required_input_pattern;
  step.forbidden_input_pattern := add_step.forbidden_input_pattern;
  step.when_unmet := coalesce(add_step.when_unmet, 'skip');
  step.when_exhausted := coalesce(add_step.when_exhausted, 'fail');
  step.handler := add_step.handler;
  step.params := coalesce(add_step.params, '{}');
  step.description := coalesce(add_step.description, '');
  step.subflow_slug := add_step.subflow_slug;
  step.batch_size := add_step.batch_size;
  step.input_schema := add_step.input_schema;
  step.output_schema := add_step.output_schema;
  step.initial_tasks := add_step.initial_tasks;
  step.run_if := add_step.run_if;
  step.run_unless := add_step.run_unless;
  step.opt_max_delay := add_step.max_delay;
  step.opt_jitter := add_step.jitter;
  step.collect_errors := coalesce(add_step.collect_errors, false);
  step.pipelined := coalesce(add_step.pipelined, false);
  step.subflow_input := add_step.subflow_input;
  step.subflow_output := add_step.subflow_output;
  step.on_failure := add_step.on_failure;
  step.over := add_step.over;
  step.mode := coalesce(add_step.mode, 'inline');
  step.rules := add_step.rules;
  step.default_path := coalesce(add_step.default_path, '{}');
  step.wait := coalesce(add_step.wait, 'all');
  step.back_to := add_step.back_to;
  step.condition := add_step.condition;
  step.max_iterations := add_step.max_iterations;
  step.break_path := coalesce(add_step.break_path, '{}');
  step.timeout_path := coalesce(add_step.timeout_path, '{}');
  step.max_failures := add_step.max_failures;
  step.max_failures_percent := add_step.max_failures_percent;
  step.pool := add_step.pool;

  -- Whoever adds to the same flow waits here, and then sees the steps of this session.
  if not pgflow.lock_flow(step.flow_slug) then
    perform pgflow.refuse_unknown_flow(step.flow_slug, 'steps_flow_slug_fkey');
  end if;
  perform pgflow.refuse_foreign_flow(step.flow_slug);
  perform pgflow.refuse_unless_slug(step.step_slug, 'step', 'steps_step_slug_check');
  perform pgflow.refuse_bad_deps(step, deps);

  select existing.* into stored
  from pgflow.steps as existing
  where existing.flow_slug = step.flow_slug and existing.step_slug = step.step_slug;
  if found then
    differences := pgflow.step_differences(stored, step, deps);
    if differences is null then
      return stored;
    end if;
    raise exception 'Flow "%" already has a step "%" that differs in: %; give the new step another slug, or change the stored one in pgflow.steps.',
      step.flow_slug, step.step_slug, differences
      using errcode = 'unique_violation', constraint = 'steps_pkey';
  end if;

  perform pgflow.refuse_bad_pool(step);
  perform pgflow.refuse_bad_pipeline(step, deps);
  perform pgflow.refuse_bad_mapping(step, deps);
  perform pgflow.refuse_bad_failure_step(step, deps);
  perform pgflow.refuse_bad_rules(step);
  perform pgflow.refuse_bad_join(step, deps);
  perform pgflow.refuse_bad_loop(step, deps);
  perform pgflow.refuse_bad_ways(step, deps);
  perform pgflow.refuse_way_out_of_loop(step, deps);
  if step.step_type = 'subflow' then
    perform pgflow.refuse_unknown_subflow(step);
  end if;
  stored := pgflow.insert_step(step, deps);
  if step.step_type = 'subflow' then
    perform pgflow.refuse_subflow_cycle(step.flow_slug);
  end if;
  return stored;
end
$$;

comment on function pgflow.add_step is
  'Adds a step behind the steps that it depends on, or returns the equal step that exists';
