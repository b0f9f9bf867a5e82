-- Steps receive and hand on one data map, and flows return one.
-- old code: works

set local check_function_bodies to off;

-- Whoever might call what is made anew below may go on to.
create temporary table granted_before_0008 on commit drop as
select routine.proname, right_of.grantee::regrole as grantee
from pg_proc as routine
cross join lateral aclexplode(routine.proacl) as right_of
where routine.pronamespace = 'pgflow'::regnamespace
  and routine.proname in ('create_flow', 'add_step')
  and right_of.grantee not in (0, routine.proowner);

drop function pgflow.create_flow(text, integer, integer, integer, integer, text, text, jsonb, jsonb, jsonb, integer, text, integer);

drop function pgflow.add_step(text, text, text[], integer, integer, integer, integer, text, jsonb, jsonb, text, text, text, jsonb, text, text, integer, jsonb, jsonb, integer, text, text, integer, text, boolean, boolean, jsonb, jsonb, text, text, text, jsonb, text[], text, text, text, integer, text[], text[], integer, integer, text);

alter table pgflow.steps add constraint data_map_is_of_no_list CHECK (((NOT ((settings)::jsonb ? 'over'::text)) OR (NOT ((settings)::jsonb ?| ARRAY['merge_input'::text, 'keep_input'::text]))));

CREATE FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[] DEFAULT '{}'::text[], max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer, start_delay integer DEFAULT NULL::integer, step_type text DEFAULT 'single'::text, required_input_pattern jsonb DEFAULT NULL::jsonb, forbidden_input_pattern jsonb DEFAULT NULL::jsonb, when_unmet text DEFAULT 'skip'::text, when_exhausted text DEFAULT 'fail'::text, handler text DEFAULT NULL::text, params jsonb DEFAULT '{}'::jsonb, description text DEFAULT ''::text, subflow_slug text DEFAULT NULL::text, batch_size integer DEFAULT NULL::integer, input_schema jsonb DEFAULT NULL::jsonb, output_schema jsonb DEFAULT NULL::jsonb, initial_tasks integer DEFAULT NULL::integer, run_if text DEFAULT NULL::text, run_unless text DEFAULT NULL::text, max_delay integer DEFAULT NULL::integer, jitter text DEFAULT NULL::text, collect_errors boolean DEFAULT false, pipelined boolean DEFAULT false, subflow_input jsonb DEFAULT NULL::jsonb, subflow_output jsonb DEFAULT NULL::jsonb, on_failure text DEFAULT NULL::text, over text DEFAULT NULL::text, mode text DEFAULT 'inline'::text, rules jsonb DEFAULT NULL::jsonb, default_path text[] DEFAULT '{}'::text[], wait text DEFAULT 'all'::text, back_to text DEFAULT NULL::text, condition text DEFAULT NULL::text, max_iterations integer DEFAULT NULL::integer, break_path text[] DEFAULT '{}'::text[], timeout_path text[] DEFAULT '{}'::text[], max_failures integer DEFAULT NULL::integer, max_failures_percent integer DEFAULT NULL::integer, pool text DEFAULT NULL::text, merge_input boolean DEFAULT false, keep_input boolean DEFAULT false) RETURNS pgflow.steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  return pgflow.define_step(
    add_step.flow_slug,
    jsonb_strip_nulls(jsonb_build_object(
      'slug', add_step.step_slug,
      'type', add_step.step_type,
      'depends_on', nullif(to_jsonb(pgflow.each_once(add_step.deps_slugs)), '[]'),
      'description', add_step.description,
      'options', jsonb_build_object(
        'max_attempts', add_step.max_attempts,
        'base_delay', add_step.base_delay,
        'timeout', add_step.timeout,
        'start_delay', add_step.start_delay,
        'max_delay', add_step.max_delay,
        'jitter', add_step.jitter
      ),
      'when_unmet', add_step.when_unmet,
      'when_exhausted', add_step.when_exhausted,
      'run_if', add_step.run_if,
      'run_unless', add_step.run_unless,
      'handler', add_step.handler,
      'pool', add_step.pool,
      'initial_tasks', add_step.initial_tasks,
      'batch_size', add_step.batch_size,
      'collect_errors', nullif(add_step.collect_errors, false),
      'pipelined', nullif(add_step.pipelined, false),
      'max_failures', add_step.max_failures,
      'max_failures_percent', add_step.max_failures_percent,
      'flow', add_step.subflow_slug,
      'on_failure', add_step.on_failure,
      'over', add_step.over,
      'mode', nullif(add_step.mode, 'inline'),
      'merge_input', nullif(add_step.merge_input, false),
      'keep_input', nullif(add_step.keep_input, false),
      'default_path', nullif(to_jsonb(add_step.default_path), '[]'),
      'wait', case
        when add_step.wait ~ '^[1-9][0-9]{0,8}$' then to_jsonb(add_step.wait::integer)
        else to_jsonb(nullif(add_step.wait, 'all'))
      end,
      'back_to', add_step.back_to,
      'condition', add_step.condition,
      'max_iterations', add_step.max_iterations,
      'break_path', nullif(to_jsonb(add_step.break_path), '[]'),
      'timeout_path', nullif(to_jsonb(add_step.timeout_path), '[]')
    ))
    -- What the author wrote is added as it is: stripping nulls would reach into it.
    || pgflow.json_field('params', add_step.params)
    || pgflow.json_field('if', add_step.required_input_pattern)
    || pgflow.json_field('if_not', add_step.forbidden_input_pattern)
    || pgflow.json_field('input_schema', add_step.input_schema)
    || pgflow.json_field('output_schema', add_step.output_schema)
    || pgflow.json_field('input', add_step.subflow_input)
    || pgflow.json_field('output', add_step.subflow_output)
    || pgflow.json_field('rules', add_step.rules)
  );
end
$_$;

COMMENT ON FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean) IS 'Adds a step behind the steps that it depends on, or returns the equal step that exists';

alter table pgflow.flows add column merge_output boolean DEFAULT false NOT NULL;

COMMENT ON COLUMN pgflow.flows.merge_output IS 'Whether a run returns the objects of its final steps laid over each other, and not by their names';

CREATE FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer, max_delay integer DEFAULT NULL::integer, jitter text DEFAULT NULL::text, description text DEFAULT ''::text, tags jsonb DEFAULT '{}'::jsonb, input_schema jsonb DEFAULT NULL::jsonb, output_schema jsonb DEFAULT NULL::jsonb, max_concurrent_runs integer DEFAULT NULL::integer, concurrency_key text DEFAULT NULL::text, max_concurrent_runs_per_key integer DEFAULT NULL::integer, merge_output boolean DEFAULT false) RETURNS pgflow.flows
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
      ('output schema', create_flow.output_schema)
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
      merge_output
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
      coalesce(create_flow.merge_output, false)
    )
    on conflict do nothing
    returning * into flow;
    exit when found;
    -- Another session created it meanwhile, and may even have deleted it: look again.
  end loop;
  return flow;
end
$$;

COMMENT ON FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer, base_delay integer, timeout integer, max_delay integer, jitter text, description text, tags jsonb, input_schema jsonb, output_schema jsonb, max_concurrent_runs integer, concurrency_key text, max_concurrent_runs_per_key integer, merge_output boolean) IS 'Creates a flow, or returns the one that exists unchanged; nulls mean 3 attempts, 5 s, 60 s';

CREATE OR REPLACE FUNCTION pgflow.flow_definition(flow_slug text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    jsonb_strip_nulls(jsonb_build_object(
      'slug', flow.flow_slug,
      'description', nullif(flow.description, ''),
      'merge_output', nullif(flow.merge_output, false),
      'options', nullif(jsonb_strip_nulls(jsonb_build_object(
        'max_attempts', nullif(flow.opt_max_attempts, 3),
        'base_delay', nullif(flow.opt_base_delay, 5),
        'timeout', nullif(flow.opt_timeout, 60),
        'max_delay', nullif(flow.opt_max_delay, 3600),
        'jitter', nullif(flow.opt_jitter, 'none'),
        'max_concurrent_runs', flow.opt_max_concurrent_runs,
        'concurrency_key', flow.opt_concurrency_key,
        'max_concurrent_runs_per_key', flow.opt_max_concurrent_runs_per_key
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

CREATE OR REPLACE FUNCTION pgflow.problem_codes() RETURNS TABLE(constraint_name text, code text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  values
    ('slug_is_valid', 'invalid-slug'),
    ('steps_step_slug_check', 'invalid-slug'),
    ('schedule_slug_is_valid', 'invalid-slug'),
    ('flow_exists', 'unknown-flow'),
    ('flows_pkey', 'duplicate-flow'),
    ('steps_flow_slug_fkey', 'unknown-flow'),
    ('deps_flow_slug_fkey', 'unknown-flow'),
    ('schedules_flow_slug_fkey', 'unknown-flow'),
    ('steps_pkey', 'duplicate-step'),
    ('schedules_pkey', 'duplicate-schedule'),
    ('json_is_within_limits', 'value-beyond-limits'),

    -- Fields that a step of this kind has not, must have, or has with another type.
    ('steps_step_type_check', 'unknown-step-type'),
    ('settings_fit_the_kind', 'unknown-field'),
    ('settings_have_their_types', 'wrong-value'),
    ('rules_have_their_types', 'wrong-value'),
    ('rules_have_their_fields', 'unknown-field'),
    ('only_steps_with_handlers_have_a_pool', 'unknown-field'),
    ('only_subflow_steps_name_a_subflow', 'unknown-field'),
    ('subflow_step_has_no_handler', 'unknown-field'),
    ('subflow_step_has_no_schemas', 'unknown-field'),
    ('join_step_has_no_handler', 'unknown-field'),
    ('join_step_has_no_schemas', 'unknown-field'),
    ('subflow_steps_name_a_subflow', 'missing-field'),
    ('only_branch_steps_have_rules', 'missing-field'),
    ('rules_have_all_fields', 'missing-field'),
    ('only_loop_steps_go_back', 'missing-field'),
    ('steps_name_their_dependencies', 'wrong-value'),
    ('paths_name_steps', 'wrong-value'),
    ('jitter_is_valid', 'wrong-value'),
    ('when_unmet_is_valid', 'wrong-value'),
    ('when_exhausted_is_valid', 'wrong-value'),
    ('mode_is_valid', 'wrong-value'),
    ('wait_is_valid', 'wrong-value'),
    ('params_are_an_object', 'wrong-value'),
    ('input_schema_is_object', 'wrong-value'),
    ('output_schema_is_object', 'wrong-value'),
    ('required_input_pattern_is_object', 'wrong-value'),
    ('forbidden_input_pattern_is_object', 'wrong-value'),
    ('settings_are_an_object', 'wrong-value'),
    ('tags_are_an_object', 'wrong-value'),
    ('tags_are_texts', 'wrong-value'),
    ('initial_tasks_is_nonnegative', 'wrong-value'),

    ('data_map_is_of_no_list', 'data-map-over-a-list'),
    ('opt_max_attempts_is_nonnegative', 'option-out-of-range'),
    ('opt_base_delay_is_nonnegative', 'option-out-of-range'),
    ('opt_timeout_is_positive', 'option-out-of-range'),
    ('opt_max_delay_is_nonnegative', 'option-out-of-range'),
    ('opt_start_delay_is_nonnegative', 'option-out-of-range'),
    ('opt_max_concurrent_runs_is_positive', 'option-out-of-range'),
    ('opt_max_concurrent_runs_per_key_is_positive', 'option-out-of-range'),
    ('a_limit_per_key_has_a_key', 'limit-without-key'),
    ('concurrency_key_is_not_empty', 'invalid-expression'),
    ('flow_has_few_tags', 'too-many-tags'),
    ('tags_are_short', 'tag-too-long'),
    ('tags_are_not_ours', 'tag-of-ours'),
    ('tags_reach_nothing_else', 'tag-to-be-allowed'),
    ('run_if_is_not_empty', 'invalid-expression'),
    ('run_unless_is_not_empty', 'invalid-expression'),
    ('condition_is_not_empty', 'invalid-expression'),
    ('rules_have_conditions', 'invalid-expression'),
    ('pool_is_valid', 'invalid-pool'),
    ('handler_is_a_name', 'invalid-handler'),

    ('deps_pkey', 'duplicate-dependency'),
    ('deps_check', 'self-dependency'),
    ('deps_flow_slug_dep_slug_fkey', 'unknown-dependency'),
    ('deps_flow_slug_step_slug_fkey', 'unknown-dependency'),
    ('steps_stand_behind_their_dependencies', 'dependency-cycle'),
    ('steps_flow_slug_step_index_key', 'dependency-cycle'),
    ('steps_deps_count_check', 'unknown-dependency'),

    ('map_step_has_at_most_one_dependency', 'map-with-many-dependencies'),
    ('batch_size_is_positive', 'batch-size-out-of-range'),
    ('max_failures_is_nonnegative', 'max-failures-out-of-range'),
    ('max_failures_percent_is_in_range', 'max-failures-out-of-range'),
    ('pipelined_step_follows_a_map_step', 'pipelined-without-map'),
    ('pipelined_step_has_no_condition', 'pipelined-with-condition'),
    ('pipelined_step_takes_over_batches', 'pipelined-with-batch-size'),
    ('pipelined_step_follows_a_step_without_a_count', 'pipelined-behind-a-count'),
    ('pipelined_step_follows_a_step_that_fails', 'pipelined-behind-a-skip'),

    ('subflow_exists', 'unknown-subflow'),
    ('subflow_slug_is_valid', 'unknown-subflow'),
    ('no_flow_contains_itself', 'recursive-subflow'),
    ('over_is_a_dependency', 'over-no-dependency'),
    ('references_are_well_formed', 'invalid-reference'),
    ('input_refers_to_dependencies', 'reference-to-no-dependency'),
    ('params_refer_to_dependencies', 'reference-to-no-dependency'),
    ('only_map_steps_have_elements', 'reference-to-no-item'),
    ('only_steps_over_a_list_have_items', 'reference-to-no-item'),
    ('output_refers_to_final_steps', 'reference-to-flow-input'),
    ('failure_steps_are_there', 'failure-step-unknown'),
    ('failure_step_is_another_step', 'failure-step-is-itself'),
    ('failure_step_comes_after_its_subflow', 'failure-step-before'),
    ('failure_step_depends_on_its_subflow', 'failure-step-not-behind'),
    ('failure_step_belongs_to_one_subflow', 'failure-step-of-many'),
    ('failure_step_is_no_map', 'failure-step-is-a-map'),
    ('failure_step_is_no_join', 'failure-step-is-a-join'),

    ('rules_are_a_list', 'branch-without-rules'),
    ('rules_lead_to_steps', 'rule-without-steps'),
    ('each_condition_is_one_rule', 'rule-given-twice'),
    ('labels_are_short', 'invalid-label'),
    ('each_label_is_one_rule', 'label-given-twice'),
    ('routes_lead_to_steps', 'target-unknown'),
    ('target_is_another_step', 'target-is-itself'),
    ('target_comes_after_what_leads_to_it', 'target-before'),
    ('target_depends_on_what_leads_to_it', 'target-not-behind'),
    ('target_is_no_failure_step', 'target-is-failure-step'),
    ('join_brings_paths_together', 'join-of-too-few'),
    ('wait_is_positive', 'wait-out-of-range'),
    ('join_waits_for_what_there_is', 'wait-out-of-range'),
    ('loop_goes_back_to_a_step', 'loop-start-unknown'),
    ('loop_goes_back_to_a_step_before', 'loop-start-not-before'),
    ('loop_goes_back_to_no_map', 'loop-start-is-a-map'),
    ('max_iterations_is_in_range', 'iterations-out-of-range'),
    ('loop_step_has_no_condition', 'loop-with-condition'),
    ('loop_step_is_never_skipped', 'loop-that-is-skipped'),
    ('loops_lie_within_loops', 'loops-overlap'),
    ('loops_are_left_at_their_end', 'loop-left-before-its-end'),
    ('failure_steps_are_repeated_too', 'failure-step-across-a-loop'),

    ('cron_has_five_fields', 'invalid-cron'),
    ('cron_comes_some_day', 'cron-never-comes'),
    ('timezone_is_named', 'unknown-timezone')
$$;

CREATE OR REPLACE FUNCTION pgflow.refuse_bad_mapping(step pgflow.steps, deps_slugs text[]) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  over constant text := step.settings ->> 'over';
  broken_constraint text;
  problem text;
begin
  if jsonb_typeof(step.params) <> 'object' then
    broken_constraint := 'params_are_an_object';
    problem := 'has params that are not an object; name each of them';
  elsif over !~ '^\$' and over <> all (deps_slugs) then
    broken_constraint := 'over_is_a_dependency';
    problem := format('runs over "%s", but does not depend on it; add it to deps_slugs', over);
  elsif over is not null and step.settings ?| array['merge_input', 'keep_input'] then
    broken_constraint := 'data_map_is_of_no_list';
    problem := format(
      'runs over a list: its flow receives an item, and it returns a list; leave %s out',
      (
        select string_agg(field.name, ' and ' order by field.position)
        from unnest(array['merge_input', 'keep_input']) with ordinality as field (name, position)
        where step.settings ? field.name
      )
    );
  else
    select found.broken_constraint, found.problem into broken_constraint, problem
    from pgflow.reference_problems(step, deps_slugs) as found
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$_$;

CREATE OR REPLACE FUNCTION pgflow.replace_flow(definition jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  slug constant text := definition ->> 'slug';
begin
  perform pgflow.refuse_unless_slug(slug, 'flow', 'slug_is_valid');
  perform pgflow.create_flow(slug);
  perform pgflow.lock_flow(slug);
  update pgflow.flows as flow
  set
    opt_max_attempts = coalesce((definition #>> '{options,max_attempts}')::integer, 3),
    opt_base_delay = coalesce((definition #>> '{options,base_delay}')::integer, 5),
    opt_timeout = coalesce((definition #>> '{options,timeout}')::integer, 60),
    opt_max_delay = coalesce((definition #>> '{options,max_delay}')::integer, 3600),
    opt_jitter = coalesce(definition #>> '{options,jitter}', 'none'),
    opt_max_concurrent_runs = (definition #>> '{options,max_concurrent_runs}')::integer,
    opt_concurrency_key = definition #>> '{options,concurrency_key}',
    opt_max_concurrent_runs_per_key =
      (definition #>> '{options,max_concurrent_runs_per_key}')::integer,
    description = coalesce(definition ->> 'description', ''),
    input_schema = nullif(definition -> 'input_schema', 'null'),
    output_schema = nullif(definition -> 'output_schema', 'null'),
    merge_output = coalesce((definition ->> 'merge_output')::boolean, false),
    tags = coalesce(nullif(definition -> 'tags', 'null'), '{}')
  where flow.flow_slug = slug;

  delete from pgflow.deps as dep where dep.flow_slug = slug;
  delete from pgflow.steps as step where step.flow_slug = slug;
  delete from pgflow.schedules as schedule where schedule.flow_slug = slug;
  perform pgflow.insert_steps(
    slug,
    (
      select coalesce(jsonb_agg(pgflow.without_nulls(given.step) order by given.position), '[]')
      from jsonb_array_elements(nullif(definition -> 'steps', 'null'))
        with ordinality as given (step, position)
    ),
    0
  );
  perform pgflow.insert_schedules(slug, coalesce(nullif(definition -> 'schedules', 'null'), '[]'));
end
$$;

CREATE OR REPLACE FUNCTION pgflow.settings_of(step_type text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case step_type
    when 'map' then '{
      "batch_size": {"is": "a whole number"},
      "collect_errors": {"is": "true or false", "default": false},
      "pipelined": {"is": "true or false", "default": false},
      "max_failures": {"is": "a whole number"},
      "max_failures_percent": {"is": "a whole number"}
    }'
    when 'subflow' then '{
      "input": {"is": "an object"},
      "output": {"is": "an object or text"},
      "on_failure": {"is": "text"},
      "over": {"is": "text"},
      "mode": {"is": "text", "default": "inline"},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'branch' then '{
      "rules": {"is": "a list"},
      "default_path": {"is": "a list of texts", "default": []},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'join' then '{
      "wait": {"is": "text or a whole number", "default": "all"},
      "merge_input": {"is": "true or false", "default": false}
    }'
    when 'loop' then '{
      "back_to": {"is": "text"},
      "condition": {"is": "text"},
      "max_iterations": {"is": "a whole number"},
      "break_path": {"is": "a list of texts", "default": []},
      "timeout_path": {"is": "a list of texts", "default": []},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'single' then '{
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
  end::jsonb
$$;

CREATE OR REPLACE FUNCTION pgflow.step_differences(stored pgflow.steps, wanted pgflow.steps, wanted_deps text[]) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg(difference.name, ', ' order by difference.name)
  from (
    select replace(column_of.name, 'opt_', '') as name
    from jsonb_each(to_jsonb(wanted)) as column_of (name, value)
    where column_of.name not in ('step_index', 'deps_count', 'created_at', 'settings')
      and column_of.value <> to_jsonb(stored) -> column_of.name
    union all
    -- Two settings have another name as parameters of add_step.
    select case setting.name
      when 'input' then 'subflow_input'
      when 'output' then 'subflow_output'
      else setting.name
    end
    from jsonb_object_keys(stored.settings || wanted.settings) as setting (name)
    where wanted.settings -> setting.name is distinct from stored.settings -> setting.name
    union all
    -- Their order only matters where what they return is laid over each other.
    select 'deps_slugs'
    where array(
      select dep.slug
      from unnest(wanted_deps) with ordinality as dep (slug, position)
      order by case when wanted.settings ? 'merge_input' then dep.position end, 1
    ) <> array(
      select dep.dep_slug
      from pgflow.deps as dep
      where dep.flow_slug = stored.flow_slug and dep.step_slug = stored.step_slug
      order by case when wanted.settings ? 'merge_input' then dep.dep_index end, 1
    )
  ) as difference
$$;

REVOKE ALL ON FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer, base_delay integer, timeout integer, max_delay integer, jitter text, description text, tags jsonb, input_schema jsonb, output_schema jsonb, max_concurrent_runs integer, concurrency_key text, max_concurrent_runs_per_key integer, merge_output boolean) FROM PUBLIC;

do $$
declare
  allowed record;
begin
  for allowed in
    select routine.oid::regprocedure as name, granted.grantee
    from granted_before_0008 as granted
    join pg_proc as routine
      on routine.pronamespace = 'pgflow'::regnamespace and routine.proname = granted.proname
  loop
    execute format('grant execute on function %s to %s', allowed.name, allowed.grantee);
  end loop;
end
$$;
