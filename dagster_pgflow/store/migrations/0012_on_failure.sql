-- Every step may say with which step a run goes on when it failed; joins catch failures.
-- old code: works

set local check_function_bodies to off;

-- Whoever might call what is made anew below may go on to.
create temporary table granted_before_0012 on commit drop as
select routine.proname, right_of.grantee::regrole as grantee
from pg_proc as routine
cross join lateral aclexplode(routine.proacl) as right_of
where routine.pronamespace = 'pgflow'::regnamespace
  and routine.proname = 'add_step'
  and right_of.grantee not in (0, routine.proowner);

drop index pgflow.failure_step_belongs_to_one_subflow;

drop function pgflow.add_step(text, text, text[], integer, integer, integer, integer, text, jsonb, jsonb, text, text, text, jsonb, text, text, integer, jsonb, jsonb, integer, text, text, integer, text, boolean, boolean, jsonb, jsonb, text, text, text, jsonb, text[], text, text, text, integer, text[], text[], integer, integer, text, boolean, boolean, jsonb, jsonb, jsonb, text[], text[], text[], text, boolean);

alter table pgflow.steps drop constraint failure_step_is_another_step;

alter table pgflow.steps add constraint failure_step_is_another_step CHECK (((((settings)::jsonb ->> 'on_failure'::text) <> step_slug) AND (((settings)::jsonb ->> 'on_timeout'::text) <> step_slug)));

alter table pgflow.steps add constraint members_have_a_failure_step CHECK (((NOT ((settings)::jsonb ? 'members'::text)) OR ((settings)::jsonb ? 'on_failure'::text)));

COMMENT ON COLUMN pgflow.steps.settings IS 'What else steps of this kind have, by name, without what is as by default; settings_of lists it';

CREATE FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[] DEFAULT '{}'::text[], max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer, start_delay integer DEFAULT NULL::integer, step_type text DEFAULT 'single'::text, required_input_pattern jsonb DEFAULT NULL::jsonb, forbidden_input_pattern jsonb DEFAULT NULL::jsonb, when_unmet text DEFAULT 'skip'::text, when_exhausted text DEFAULT 'fail'::text, handler text DEFAULT NULL::text, params jsonb DEFAULT '{}'::jsonb, description text DEFAULT ''::text, subflow_slug text DEFAULT NULL::text, batch_size integer DEFAULT NULL::integer, input_schema jsonb DEFAULT NULL::jsonb, output_schema jsonb DEFAULT NULL::jsonb, initial_tasks integer DEFAULT NULL::integer, run_if text DEFAULT NULL::text, run_unless text DEFAULT NULL::text, max_delay integer DEFAULT NULL::integer, jitter text DEFAULT NULL::text, collect_errors boolean DEFAULT false, pipelined boolean DEFAULT false, subflow_input jsonb DEFAULT NULL::jsonb, subflow_output jsonb DEFAULT NULL::jsonb, on_failure text DEFAULT NULL::text, over text DEFAULT NULL::text, mode text DEFAULT 'inline'::text, rules jsonb DEFAULT NULL::jsonb, default_path text[] DEFAULT '{}'::text[], wait text DEFAULT 'all'::text, back_to text DEFAULT NULL::text, condition text DEFAULT NULL::text, max_iterations integer DEFAULT NULL::integer, break_path text[] DEFAULT '{}'::text[], timeout_path text[] DEFAULT '{}'::text[], max_failures integer DEFAULT NULL::integer, max_failures_percent integer DEFAULT NULL::integer, pool text DEFAULT NULL::text, merge_input boolean DEFAULT false, keep_input boolean DEFAULT false, circuit_breaker jsonb DEFAULT NULL::jsonb, bulkhead jsonb DEFAULT NULL::jsonb, rate_limiter jsonb DEFAULT NULL::jsonb, before text[] DEFAULT '{}'::text[], after text[] DEFAULT '{}'::text[], requires text[] DEFAULT '{}'::text[], check_schemas text DEFAULT 'off'::text, coerce boolean DEFAULT false, on_timeout text DEFAULT NULL::text, members text[] DEFAULT '{}'::text[]) RETURNS pgflow.steps
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
      'before', nullif(to_jsonb(add_step.before), '[]'),
      'after', nullif(to_jsonb(add_step.after), '[]'),
      'requires', nullif(to_jsonb(add_step.requires), '[]'),
      'check_schemas', nullif(add_step.check_schemas, 'off'),
      'coerce', nullif(add_step.coerce, false),
      'initial_tasks', add_step.initial_tasks,
      'batch_size', add_step.batch_size,
      'collect_errors', nullif(add_step.collect_errors, false),
      'pipelined', nullif(add_step.pipelined, false),
      'max_failures', add_step.max_failures,
      'max_failures_percent', add_step.max_failures_percent,
      'flow', add_step.subflow_slug,
      'on_failure', add_step.on_failure,
      'on_timeout', add_step.on_timeout,
      'members', nullif(to_jsonb(add_step.members), '[]'),
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
    || pgflow.json_field('circuit_breaker', add_step.circuit_breaker)
    || pgflow.json_field('bulkhead', add_step.bulkhead)
    || pgflow.json_field('rate_limiter', add_step.rate_limiter)
  );
end
$_$;

COMMENT ON FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb, before text[], after text[], requires text[], check_schemas text, coerce boolean, on_timeout text, members text[]) IS 'Adds a step behind the steps that it depends on, or returns the equal step that exists';

CREATE OR REPLACE FUNCTION pgflow.body_problem(step pgflow.steps, body text[]) RETURNS TABLE(broken_constraint text, problem text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    'loops_lie_within_loops',
    format(
      'goes back to "%s" and shares steps with loop "%s" without repeating all that it repeats; go back to a step before "%s", or behind the loop',
      step.settings ->> 'back_to', other.step_slug, other.settings ->> 'back_to'
    )
  from pgflow.steps as other
  cross join lateral pgflow.steps_between(
    other.flow_slug, other.settings ->> 'back_to', array[other.step_slug]
  ) as repeated
  where other.flow_slug = step.flow_slug
    and other.step_type = 'loop'
    and repeated && body
    and not repeated <@ body
  union all
  select
    'loops_are_left_at_their_end',
    format(
      'repeats "%s", and step "%s" depends on that one; let the loop depend on "%s", so that it is repeated too',
      dep.dep_slug, dep.step_slug, dep.step_slug
    )
  from pgflow.deps as dep
  where dep.flow_slug = step.flow_slug
    and dep.dep_slug = any (body)
    and dep.step_slug <> all (body)
  union all
  select
    'loops_are_left_at_their_end',
    format(
      'repeats "%s", which leads to "%s", and does not repeat that one; let the loop depend on it',
      inside.step_slug, route.target
    )
  from pgflow.steps as inside
  cross join lateral pgflow.routes_of(inside) as route
  where inside.flow_slug = step.flow_slug
    and inside.step_type in ('branch', 'loop')
    and inside.step_slug = any (body)
    and route.target <> all (body)
  union all
  select
    'failure_steps_are_repeated_too',
    format(
      'repeats "%s" and not "%s", which goes on when that one fails; let it repeat both, or let the loop go on with that one',
      failing.step_slug, led.target
    )
  from pgflow.steps as failing
  cross join lateral pgflow.failure_steps_of(failing) as led
  where failing.flow_slug = step.flow_slug
    and failing.step_slug = any (body)
    and failing.step_slug <> step.step_slug
    and led.target <> all (body)
$$;

CREATE FUNCTION pgflow.caught_by(flow_slug text, step_slug text) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select joined.step_slug
  from pgflow.deps as dep
  join pgflow.steps as joined on joined.flow_slug = dep.flow_slug and joined.step_slug = dep.step_slug
  where dep.flow_slug = caught_by.flow_slug
    and dep.dep_slug = caught_by.step_slug
    and joined.step_type = 'join'
    and joined.settings ? 'on_failure'
    and (not joined.settings ? 'members' or joined.settings -> 'members' ? caught_by.step_slug)
$$;

COMMENT ON FUNCTION pgflow.caught_by(flow_slug text, step_slug text) IS 'The joins that fail with a step, so that the run does not';

CREATE OR REPLACE FUNCTION pgflow.define_step(flow_slug text, definition jsonb) RETURNS pgflow.steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  deps constant text[] := pgflow.texts_of(definition -> 'depends_on');
  step pgflow.steps;
  stored pgflow.steps;
  differences text;
begin
  perform pgflow.refuse_beyond_limits(
    given.value,
    format(
      'The %s of step "%s"',
      case given.name
        when 'if' then 'required input'
        when 'if_not' then 'forbidden input'
        when 'input' then 'input mapping'
        when 'output' then 'output mapping'
        else replace(given.name, '_', ' ')
      end,
      definition ->> 'slug'
    )
  )
  from jsonb_each(definition) as given (name, value)
  where jsonb_typeof(given.value) in ('object', 'array', 'number');
  select given.* into step
  from pgflow.steps_of(define_step.flow_slug, jsonb_build_array(definition), null) as given;

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
      using
        errcode = 'unique_violation',
        constraint = 'steps_pkey',
        detail = pgflow.problem_code('steps_pkey');
  end if;

  perform pgflow.refuse_bad_settings(
    step.flow_slug, step.step_slug, step.step_type, step.settings
  );
  perform pgflow.refuse_bad_pool(step);
  perform pgflow.refuse_bad_hooks(step);
  perform pgflow.refuse_bad_pipeline(step, deps);
  perform pgflow.refuse_bad_mapping(step, deps);
  perform pgflow.refuse_bad_failure_step(step, deps);
  perform pgflow.refuse_bad_rules(step);
  perform pgflow.refuse_bad_join(step, deps);
  perform pgflow.refuse_bad_members(step, deps);
  perform pgflow.refuse_bad_loop(step, deps);
  perform pgflow.refuse_bad_routes(step, deps);
  perform pgflow.refuse_route_out_of_loop(step, deps);
  if step.step_type = 'subflow' then
    perform pgflow.refuse_unknown_subflow(step);
  end if;
  perform pgflow.insert_steps(define_step.flow_slug, jsonb_build_array(definition), null);
  if step.step_type = 'subflow' then
    perform pgflow.refuse_subflow_cycle(step.flow_slug);
  end if;
  select added.* into stored
  from pgflow.steps as added
  where added.flow_slug = step.flow_slug and added.step_slug = step.step_slug;
  return stored;
end
$$;

CREATE FUNCTION pgflow.failure_steps_of(step pgflow.steps) RETURNS TABLE(field text, target text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select named.field, step.settings ->> named.field
  from (values ('on_failure'), ('on_timeout')) as named (field)
  where step.settings ->> named.field is not null
$$;

COMMENT ON FUNCTION pgflow.failure_steps_of(step pgflow.steps) IS 'The steps that a run goes on with when a step fails, with the field that names each';

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
    ('guards_have_their_fields', 'unknown-field'),
    ('guards_have_their_types', 'wrong-value'),
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
    ('check_schemas_is_valid', 'wrong-value'),
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
    ('guards_are_in_range', 'option-out-of-range'),
    ('guard_keys_are_short', 'invalid-guard-key'),
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
    ('hooks_have_names', 'invalid-handler'),
    ('hooks_are_no_node_types', 'hook-is-a-node-type'),
    ('hooks_go_with_a_handler', 'hook-without-handler'),
    ('resources_have_names', 'invalid-resource'),

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
    ('pipelined_step_follows_a_step_that_ends', 'pipelined-behind-a-failure'),

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
    ('failure_step_is_no_map', 'failure-step-is-a-map'),
    ('failure_step_is_no_join', 'failure-step-is-a-join'),
    ('members_have_a_failure_step', 'members-without-failure-step'),
    ('members_are_dependencies', 'member-is-no-dependency'),
    ('members_have_no_failure_step', 'member-with-failure-step'),
    ('members_have_one_join', 'member-of-many'),

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

CREATE OR REPLACE FUNCTION pgflow.refuse_bad_failure_step(step pgflow.steps, deps_slugs text[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  broken_constraint text;
  problem text;
  named_by text;
begin
  -- First one that it does not depend on, if there is one.
  select other.step_slug into named_by
  from pgflow.steps as other
  where other.flow_slug = step.flow_slug
    and (
      other.settings ->> 'on_failure' = step.step_slug
      or other.settings ->> 'on_timeout' = step.step_slug
    )
  order by other.step_slug = any (deps_slugs), other.step_index
  limit 1;

  if named_by is not null and named_by <> all (deps_slugs) then
    broken_constraint := 'failure_step_depends_on_its_subflow';
    problem := format(
      'goes on when "%s" fails, so it must depend on it; add "%s" to deps_slugs', named_by, named_by
    );
  elsif named_by is not null and step.step_type = 'map' then
    broken_constraint := 'failure_step_is_no_map';
    problem := format(
      'goes on when "%s" fails, but is a map step; let a single or subflow step do it', named_by
    );
  elsif named_by is not null and step.step_type = 'join' then
    broken_constraint := 'failure_step_is_no_join';
    problem := format(
      'goes on when "%s" fails, but is a join; let a single or subflow step do it', named_by
    );
  else
    select
      case
        when led.target = step.step_slug then 'failure_step_is_another_step'
        when not pgflow.is_valid_slug(led.target) then 'steps_step_slug_check'
        when pgflow.steps_between(step.flow_slug, led.target, deps_slugs) = '{}'
          then 'failure_step_depends_on_its_subflow'
        else 'failure_step_comes_after_its_subflow'
      end,
      case
        when led.target = step.step_slug then format(
          'cannot go on with itself when it fails; name another step in %s', led.field
        )
        when not pgflow.is_valid_slug(led.target)
          then format('goes on with "%s", which is not a valid step slug', led.target)
        else format(
          'goes on with "%s" when it fails, which was added before it and so does not depend on it; add that step after this one',
          led.target
        )
      end
    into broken_constraint, problem
    from pgflow.failure_steps_of(step) as led
    left join pgflow.steps as earlier
      on earlier.flow_slug = step.flow_slug and earlier.step_slug = led.target
    where led.target = step.step_slug
      or not pgflow.is_valid_slug(led.target)
      or earlier.step_slug is not null
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

COMMENT ON FUNCTION pgflow.refuse_bad_failure_step(step pgflow.steps, deps_slugs text[]) IS 'Raises when a step cannot go on after the failure of another, or names one that cannot';

CREATE FUNCTION pgflow.refuse_bad_members(step pgflow.steps, deps_slugs text[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  broken_constraint text;
  problem text;
begin
  if step.step_type <> 'join' or not step.settings ?| array['members', 'on_failure'] then
    return;
  end if;
  select found.broken_constraint, found.problem into broken_constraint, problem
  from (
    select
      1 as place,
      'members_have_a_failure_step' as broken_constraint,
      'names members and no on_failure, so that it catches no failure; add on_failure, or leave members out' as problem
    where not step.settings ? 'on_failure'
    union all
    select
      2,
      'members_are_dependencies',
      format(
        'names "%s" among its members, which it does not depend on; add "%s" to deps_slugs, or take it out of members',
        member.slug, member.slug
      )
    from jsonb_array_elements_text(step.settings -> 'members') as member (slug)
    where member.slug <> all (deps_slugs)
    union all
    select
      3,
      case
        when other.slug is null then 'members_have_no_failure_step' else 'members_have_one_join'
      end,
      case
        when other.slug is null then format(
          'catches the failure of "%s", which goes on with "%s" itself; leave one of the two out: name the other dependencies in members, or take the failure step from "%s"',
          member.step_slug, led.target, member.step_slug
        )
        else format(
          'catches the failure of "%s", and so does join "%s"; let one of them name its members without it',
          member.step_slug, other.slug
        )
      end
    from pgflow.steps as member
    left join lateral pgflow.failure_steps_of(member) as led on true
    left join lateral pgflow.caught_by(member.flow_slug, member.step_slug) as other (slug)
      on led.target is null
    where step.settings ? 'on_failure'
      and member.flow_slug = step.flow_slug
      and member.step_slug = any (deps_slugs)
      and (not step.settings ? 'members' or step.settings -> 'members' ? member.step_slug)
      and coalesce(led.target, other.slug) is not null
    union all
    select
      4,
      'pipelined_step_follows_a_step_that_ends',
      format(
        'catches the failure of "%s", whose elements the pipelined step "%s" takes over, so they would be on their way then; leave "%s" out of members, or pipelined there',
        dep.dep_slug, pipelined.step_slug, dep.dep_slug
      )
    from pgflow.deps as dep
    join pgflow.steps as pipelined
      on pipelined.flow_slug = dep.flow_slug and pipelined.step_slug = dep.step_slug
    where step.settings ? 'on_failure'
      and dep.flow_slug = step.flow_slug
      and dep.dep_slug = any (deps_slugs)
      and (not step.settings ? 'members' or step.settings -> 'members' ? dep.dep_slug)
      and pipelined.settings ? 'pipelined'
  ) as found
  order by found.place
  limit 1;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

COMMENT ON FUNCTION pgflow.refuse_bad_members(step pgflow.steps, deps_slugs text[]) IS 'Raises when a join cannot fail with its dependencies as it says';

CREATE OR REPLACE FUNCTION pgflow.refuse_bad_pipeline(step pgflow.steps, deps_slugs text[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  source pgflow.steps;
  broken_constraint text;
  problem text;
begin
  if not step.settings ? 'pipelined' then
    return;
  end if;
  select earlier.* into source
  from pgflow.steps as earlier
  where earlier.flow_slug = step.flow_slug and earlier.step_slug = deps_slugs[1];

  if source.step_type is distinct from 'map' then
    broken_constraint := 'pipelined_step_follows_a_map_step';
    problem := 'is pipelined, but does not depend on a map step; let it depend on one, or leave pipelined out';
  elsif num_nonnulls(
    step.required_input_pattern, step.forbidden_input_pattern, step.run_if, step.run_unless
  ) > 0 then
    broken_constraint := 'pipelined_step_has_no_condition';
    problem := 'is pipelined and begins before its whole input is known, so it cannot have a condition; remove one of the two';
  elsif step.settings ? 'batch_size' then
    broken_constraint := 'pipelined_step_takes_over_batches';
    problem := format(
      'is pipelined and takes over the batches of "%s"; say batch_size there', source.step_slug
    );
  elsif source.settings ?| array['max_failures', 'max_failures_percent'] then
    broken_constraint := 'pipelined_step_follows_a_step_without_a_count';
    problem := format(
      'is pipelined behind "%s", whose max_failures can only be judged when all of its elements are done; leave pipelined out, or max_failures there',
      source.step_slug
    );
  elsif source.when_exhausted <> 'fail' and not source.settings ? 'collect_errors' then
    broken_constraint := 'pipelined_step_follows_a_step_that_fails';
    problem := format(
      'is pipelined behind "%s", whose when_exhausted is %s; let that one fail or collect its errors, or leave pipelined out',
      source.step_slug, source.when_exhausted
    );
  elsif source.settings ?| array['on_failure', 'on_timeout']
    or exists (select from pgflow.caught_by(source.flow_slug, source.step_slug))
  then
    broken_constraint := 'pipelined_step_follows_a_step_that_ends';
    problem := format(
      'is pipelined behind "%s", after whose failure the run goes on, so elements would be on their way then; leave pipelined out, or the failure step there',
      source.step_slug
    );
  else
    return;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

CREATE OR REPLACE FUNCTION pgflow.refuse_bad_routes(step pgflow.steps, deps_slugs text[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  broken_constraint text;
  problem text;
begin
  if step.step_type in ('branch', 'loop') then
    select found.broken_constraint, found.problem into broken_constraint, problem
    from pgflow.route_problem(step, deps_slugs) as found
    limit 1;
  end if;
  if problem is null then
    select
      case
        when route.target = step.step_slug then 'target_depends_on_what_leads_to_it'
        else 'target_is_no_failure_step'
      end,
      case
        when route.target = step.step_slug then format(
          'is what "%s" leads to in %s, so it must depend on it; add "%s" to deps_slugs',
          decider.step_slug, route.field, decider.step_slug
        )
        else format(
          'goes on with "%s" when it fails, which "%s" leads to in %s; name a step of its own',
          route.target, decider.step_slug, route.field
        )
      end
    into broken_constraint, problem
    from pgflow.steps as decider
    cross join lateral pgflow.routes_of(decider) as route
    where decider.flow_slug = step.flow_slug
      and decider.step_type in ('branch', 'loop')
      and (
        (route.target = step.step_slug and decider.step_slug <> all (deps_slugs))
        or route.target in (step.settings ->> 'on_failure', step.settings ->> 'on_timeout')
      )
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

CREATE OR REPLACE FUNCTION pgflow.refuse_open_failure_step(flow_slug text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  broken_constraint text;
  problem text;
begin
  select
    case
      when failure_step.step_slug is null then 'failure_steps_are_there'
      when failure_step.step_type = 'map' then 'failure_step_is_no_map'
      when failure_step.step_type = 'join' then 'failure_step_is_no_join'
      else 'failure_step_depends_on_its_subflow'
    end,
    format(
      'step "%s" of flow "%s" goes on with "%s" when it fails, which %s',
      step.step_slug, step.flow_slug, led.target,
      case
        when failure_step.step_slug is null then 'does not exist; add it'
        when failure_step.step_type = 'map' then 'is a map step; let a single or subflow step do it'
        when failure_step.step_type = 'join' then 'is a join; let a single or subflow step do it'
        else 'does not depend on it; add that dependency'
      end
    )
  into broken_constraint, problem
  from pgflow.contained_flows(refuse_open_failure_step.flow_slug) as contained (slug)
  join pgflow.steps as step
    on step.flow_slug = contained.slug and step.settings ?| array['on_failure', 'on_timeout']
  cross join lateral pgflow.failure_steps_of(step) as led
  left join pgflow.steps as failure_step
    on failure_step.flow_slug = step.flow_slug and failure_step.step_slug = led.target
  where failure_step.step_slug is null
    or failure_step.step_type in ('map', 'join')
    or not exists (
      select from pgflow.deps as dep
      where dep.flow_slug = step.flow_slug
        and dep.dep_slug = step.step_slug
        and dep.step_slug = led.target
    )
  order by step.flow_slug, step.step_index, led.field
  limit 1;
  if problem is not null then
    raise exception 'Flow "%" cannot start: %.', flow_slug, problem
      using
        errcode = 'object_not_in_prerequisite_state',
        constraint = broken_constraint,
        detail = pgflow.problem_code(broken_constraint);
  end if;
end
$$;

COMMENT ON FUNCTION pgflow.refuse_open_failure_step(flow_slug text) IS 'Raises when a step, here or further inside, goes on with one that cannot follow it';

CREATE OR REPLACE FUNCTION pgflow.route_problem(step pgflow.steps, deps_slugs text[]) RETURNS TABLE(broken_constraint text, problem text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    case
      when route.target is null then 'paths_name_steps'
      when route.target = step.step_slug then 'target_is_another_step'
      when not pgflow.is_valid_slug(route.target) then 'steps_step_slug_check'
      when routed.step_slug is not null then 'target_is_no_failure_step'
      when pgflow.steps_between(step.flow_slug, route.target, deps_slugs) = '{}'
        then 'target_depends_on_what_leads_to_it'
      else 'target_comes_after_what_leads_to_it'
    end,
    case
      when route.target is null then
        format('leads to null in %s; name a step', route.field)
      when route.target = step.step_slug then
        format('leads to itself in %s; name a step that is added after it', route.field)
      when not pgflow.is_valid_slug(route.target) then
        format('leads to "%s" in %s, which is not a valid step slug', route.target, route.field)
      when routed.step_slug is not null then format(
        'leads to "%s" in %s, which is there for the failure of "%s"; let it lead to a step of its own',
        route.target, route.field, routed.step_slug
      )
      else format(
        'leads to "%s" in %s, which was added before it and so does not depend on it; add that step after this one',
        route.target, route.field
      )
    end
  from pgflow.routes_of(step) as route
  left join pgflow.steps as earlier
    on earlier.flow_slug = step.flow_slug and earlier.step_slug = route.target
  left join lateral (
    select other.step_slug
    from pgflow.steps as other
    where other.flow_slug = step.flow_slug
      and (
        other.settings ->> 'on_failure' = route.target
        or other.settings ->> 'on_timeout' = route.target
      )
    order by other.step_index
    limit 1
  ) as routed on true
  where route.target is null
    or route.target = step.step_slug
    or not pgflow.is_valid_slug(route.target)
    or routed.step_slug is not null
    or earlier.step_slug is not null
$$;

CREATE OR REPLACE FUNCTION pgflow.settings_of(step_type text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select '{"on_failure": {"is": "text"}}'::jsonb || case
    when step_type in ('single', 'map', 'branch', 'loop') then '{
      "circuit_breaker": {"is": "an object or true"},
      "bulkhead": {"is": "an object or true"},
      "rate_limiter": {"is": "an object or true"},
      "before": {"is": "a list of texts", "default": []},
      "after": {"is": "a list of texts", "default": []},
      "requires": {"is": "a list of texts", "default": []},
      "check_schemas": {"is": "text", "default": "off"},
      "coerce": {"is": "true or false", "default": false},
      "on_timeout": {"is": "text"}
    }'
    else '{}'
  end::jsonb || case step_type
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
      "members": {"is": "a list of texts", "default": []},
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

COMMENT ON FUNCTION pgflow.settings_of(step_type text) IS 'What steps of a kind have that is no column: each setting by name, with what it is and its default; null for a kind that there is not';

CREATE INDEX steps_by_failure_step ON pgflow.steps USING btree (flow_slug, (((settings)::jsonb ->> 'on_failure'::text))) WHERE (((settings)::jsonb ->> 'on_failure'::text) IS NOT NULL);

CREATE INDEX steps_by_timeout_step ON pgflow.steps USING btree (flow_slug, (((settings)::jsonb ->> 'on_timeout'::text))) WHERE (((settings)::jsonb ->> 'on_timeout'::text) IS NOT NULL);

REVOKE ALL ON FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb, before text[], after text[], requires text[], check_schemas text, coerce boolean, on_timeout text, members text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.caught_by(flow_slug text, step_slug text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.failure_steps_of(step pgflow.steps) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.refuse_bad_members(step pgflow.steps, deps_slugs text[]) FROM PUBLIC;

do $$
declare
  allowed record;
begin
  for allowed in
    select routine.oid::regprocedure as name, granted.grantee
    from granted_before_0012 as granted
    join pg_proc as routine
      on routine.pronamespace = 'pgflow'::regnamespace and routine.proname = granted.proname
  loop
    execute format('grant execute on function %s to %s', allowed.name, allowed.grantee);
  end loop;
end
$$;
