-- old code: works

set local check_function_bodies to off;

drop function pgflow.add_step(text, text, text[], integer, integer, integer, integer, text, jsonb, jsonb, text, text, text, jsonb, text, text, integer, jsonb, jsonb, integer, text, text, integer, text, boolean, boolean, jsonb, jsonb, text, text, text, jsonb, text[], text, text, text, integer, text[], text[], integer, integer, text, boolean, boolean, jsonb, jsonb, jsonb, text[], text[], text[], text, boolean, text, text[], text, text[], text, integer, text, integer, text, jsonb, text, jsonb, integer[], integer);

CREATE FUNCTION pgflow.are_asset_keys(templates jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select count(*) <= 100 and coalesce(bool_and(pgflow.can_be_asset_key(template)), true)
  from jsonb_array_elements_text(templates) as template
$$;

COMMENT ON FUNCTION pgflow.are_asset_keys(templates jsonb) IS 'Whether all of up to 100 templates can become keys of assets';

CREATE FUNCTION pgflow.can_be_partition(template text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select length(template) <= 500 and (
    template ~ '^\$(?![${])'
    or regexp_replace(
      regexp_replace(template, '^\$\$', '$'), '\$\{[^}]*\}', 'x', 'g'
    ) ~ '^(?!.*\.\.\.)[^\u0001-\u001f\u007f-\u009f]+$'
  )
$_$;

COMMENT ON FUNCTION pgflow.can_be_partition(template text) IS 'Whether a template can become the partition of an asset, whatever its values are';

alter table pgflow.steps add constraint assets_have_keys CHECK ((pgflow.are_asset_keys(((settings)::jsonb -> 'produces'::text)) AND pgflow.are_asset_keys(((settings)::jsonb -> 'consumes'::text))));

alter table pgflow.steps add constraint partition_can_be_one CHECK (pgflow.can_be_partition(((settings)::jsonb ->> 'partition'::text)));

CREATE FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[] DEFAULT '{}'::text[], max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer, start_delay integer DEFAULT NULL::integer, step_type text DEFAULT 'single'::text, required_input_pattern jsonb DEFAULT NULL::jsonb, forbidden_input_pattern jsonb DEFAULT NULL::jsonb, when_unmet text DEFAULT 'skip'::text, when_exhausted text DEFAULT 'fail'::text, handler text DEFAULT NULL::text, params jsonb DEFAULT '{}'::jsonb, description text DEFAULT ''::text, subflow_slug text DEFAULT NULL::text, batch_size integer DEFAULT NULL::integer, input_schema jsonb DEFAULT NULL::jsonb, output_schema jsonb DEFAULT NULL::jsonb, initial_tasks integer DEFAULT NULL::integer, run_if text DEFAULT NULL::text, run_unless text DEFAULT NULL::text, max_delay integer DEFAULT NULL::integer, jitter text DEFAULT NULL::text, collect_errors boolean DEFAULT false, pipelined boolean DEFAULT false, subflow_input jsonb DEFAULT NULL::jsonb, subflow_output jsonb DEFAULT NULL::jsonb, on_failure text DEFAULT NULL::text, over text DEFAULT NULL::text, mode text DEFAULT 'inline'::text, rules jsonb DEFAULT NULL::jsonb, default_path text[] DEFAULT '{}'::text[], wait text DEFAULT 'all'::text, back_to text DEFAULT NULL::text, condition text DEFAULT NULL::text, max_iterations integer DEFAULT NULL::integer, break_path text[] DEFAULT '{}'::text[], timeout_path text[] DEFAULT '{}'::text[], max_failures integer DEFAULT NULL::integer, max_failures_percent integer DEFAULT NULL::integer, pool text DEFAULT NULL::text, merge_input boolean DEFAULT false, keep_input boolean DEFAULT false, circuit_breaker jsonb DEFAULT NULL::jsonb, bulkhead jsonb DEFAULT NULL::jsonb, rate_limiter jsonb DEFAULT NULL::jsonb, before text[] DEFAULT '{}'::text[], after text[] DEFAULT '{}'::text[], requires text[] DEFAULT '{}'::text[], check_schemas text DEFAULT 'off'::text, coerce boolean DEFAULT false, on_timeout text DEFAULT NULL::text, members text[] DEFAULT '{}'::text[], prompt text DEFAULT NULL::text, answerers text[] DEFAULT '{}'::text[], signal text DEFAULT NULL::text, seconds integer DEFAULT NULL::integer, until text DEFAULT NULL::text, deadline integer DEFAULT NULL::integer, on_deadline text DEFAULT 'fail'::text, default_answer jsonb DEFAULT NULL::jsonb, key text DEFAULT NULL::text, answer_schema jsonb DEFAULT NULL::jsonb, reminders integer[] DEFAULT '{}'::integer[], timeout_ms integer DEFAULT NULL::integer, produces text[] DEFAULT '{}'::text[], consumes text[] DEFAULT '{}'::text[], partition text DEFAULT NULL::text) RETURNS pgflow.steps
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
        'timeout_ms', add_step.timeout_ms,
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
      'produces', nullif(to_jsonb(add_step.produces), '[]'),
      'consumes', nullif(to_jsonb(add_step.consumes), '[]'),
      'partition', add_step.partition,
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
      'timeout_path', nullif(to_jsonb(add_step.timeout_path), '[]'),
      'prompt', add_step.prompt,
      'answerers', nullif(to_jsonb(add_step.answerers), '[]'),
      'signal', add_step.signal,
      'seconds', add_step.seconds,
      'until', add_step.until,
      'deadline', add_step.deadline,
      'on_deadline', nullif(add_step.on_deadline, 'fail'),
      'key', add_step.key,
      'reminders', nullif(to_jsonb(add_step.reminders), '[]')
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
    || pgflow.json_field('default_answer', add_step.default_answer)
    || pgflow.json_field('answer_schema', add_step.answer_schema)
    || pgflow.json_field('circuit_breaker', add_step.circuit_breaker)
    || pgflow.json_field('bulkhead', add_step.bulkhead)
    || pgflow.json_field('rate_limiter', add_step.rate_limiter)
  );
end
$_$;

COMMENT ON FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb, before text[], after text[], requires text[], check_schemas text, coerce boolean, on_timeout text, members text[], prompt text, answerers text[], signal text, seconds integer, until text, deadline integer, on_deadline text, default_answer jsonb, key text, answer_schema jsonb, reminders integer[], timeout_ms integer, produces text[], consumes text[], partition text) IS 'Adds a step behind the steps that it depends on, or returns the equal step that exists';

CREATE FUNCTION pgflow.can_be_asset_key(template text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select length(template) <= 500 and (
    template ~ '^\$(?![${])'
    or regexp_replace(
      regexp_replace(template, '^\$\$', '$'), '\$\{[^}]*\}', 'x', 'g'
    ) ~ '^[^/\u0001-\u001f\u007f-\u009f]+(/[^/\u0001-\u001f\u007f-\u009f]+)*$'
  )
$_$;

COMMENT ON FUNCTION pgflow.can_be_asset_key(template text) IS 'Whether a template can become the key of an asset, whatever the values of its references are';

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
  perform pgflow.refuse_bad_assets(step);
  perform pgflow.refuse_bad_pipeline(step, deps);
  perform pgflow.refuse_bad_mapping(step, deps);
  perform pgflow.refuse_bad_failure_step(step, deps);
  perform pgflow.refuse_bad_rules(step);
  perform pgflow.refuse_bad_join(step, deps);
  perform pgflow.refuse_bad_members(step, deps);
  perform pgflow.refuse_bad_loop(step, deps);
  perform pgflow.refuse_bad_waiting(step);
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
    ('waiting_step_has_no_handler', 'unknown-field'),
    ('subflow_steps_name_a_subflow', 'missing-field'),
    ('only_approval_steps_ask', 'missing-field'),
    ('only_wait_steps_have_a_signal', 'missing-field'),
    ('only_branch_steps_have_rules', 'missing-field'),
    ('rules_have_all_fields', 'missing-field'),
    ('only_loop_steps_go_back', 'missing-field'),
    ('steps_name_their_dependencies', 'wrong-value'),
    ('paths_name_steps', 'wrong-value'),
    ('jitter_is_valid', 'wrong-value'),
    ('when_unmet_is_valid', 'wrong-value'),
    ('when_exhausted_is_valid', 'wrong-value'),
    ('mode_is_valid', 'wrong-value'),
    ('on_deadline_is_valid', 'wrong-value'),
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
    ('opt_timeout_ms_is_positive', 'option-out-of-range'),
    ('a_timeout_is_said_once', 'two-timeouts'),
    ('opt_max_delay_is_nonnegative', 'option-out-of-range'),
    ('opt_start_delay_is_nonnegative', 'option-out-of-range'),
    ('opt_max_concurrent_runs_is_positive', 'option-out-of-range'),
    ('opt_max_recoveries_is_nonnegative', 'option-out-of-range'),
    ('opt_max_concurrent_runs_per_key_is_positive', 'option-out-of-range'),
    ('guards_are_in_range', 'option-out-of-range'),
    ('guard_keys_are_short', 'invalid-guard-key'),
    ('a_limit_per_key_has_a_key', 'limit-without-key'),
    ('concurrency_key_is_not_empty', 'invalid-expression'),
    ('on_event_is_a_webhook', 'invalid-webhook'),
    ('flow_has_few_tags', 'too-many-tags'),
    ('tags_are_short', 'tag-too-long'),
    ('tags_are_not_ours', 'tag-of-ours'),
    ('tags_reach_nothing_else', 'tag-to-be-allowed'),
    ('run_if_is_not_empty', 'invalid-expression'),
    ('run_unless_is_not_empty', 'invalid-expression'),
    ('condition_is_not_empty', 'invalid-expression'),
    ('key_is_not_empty', 'invalid-expression'),
    ('until_is_not_empty', 'invalid-expression'),
    ('rules_have_conditions', 'invalid-expression'),
    ('pool_is_valid', 'invalid-pool'),
    ('handler_is_a_name', 'invalid-handler'),
    ('hooks_have_names', 'invalid-handler'),
    ('hooks_are_no_node_types', 'hook-is-a-node-type'),
    ('hooks_go_with_a_handler', 'hook-without-handler'),
    ('resources_have_names', 'invalid-resource'),
    ('assets_have_keys', 'invalid-asset-key'),
    ('partition_can_be_one', 'invalid-partition'),
    ('each_element_has_an_asset_of_its_own', 'asset-of-all-elements'),

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

    ('prompt_is_short', 'invalid-prompt'),
    ('answerers_have_names', 'invalid-answerer'),
    ('signal_is_a_name', 'invalid-signal'),
    ('sleep_ends_once', 'sleep-without-one-end'),
    ('seconds_are_positive', 'seconds-out-of-range'),
    ('deadline_is_positive', 'seconds-out-of-range'),
    ('deadline_is_said', 'no-deadline'),
    ('default_answer_goes_on', 'contradicts-deadline'),
    ('timeout_step_is_of_a_failure', 'contradicts-deadline'),
    ('reminders_come_before_the_deadline', 'invalid-reminder'),

    ('cron_has_five_fields', 'invalid-cron'),
    ('cron_comes_some_day', 'cron-never-comes'),
    ('timezone_is_named', 'unknown-timezone'),

    ('trigger_name_is_valid', 'invalid-slug'),
    ('triggers_source_flow_fkey', 'unknown-flow'),
    ('triggers_target_flow_fkey', 'unknown-flow'),
    ('triggers_name_key', 'duplicate-trigger'),
    ('on_event_is_valid', 'wrong-value'),
    ('only_events_of_runs_have_a_source_flow', 'unknown-field'),
    ('events_of_assets_name_an_asset', 'missing-field'),
    ('signals_are_named', 'missing-field'),
    ('names_of_events_are_short', 'wrong-value'),
    ('trigger_condition_is_not_empty', 'invalid-expression'),
    ('no_flow_starts_itself_for_ever', 'trigger-of-itself')
$$;

CREATE OR REPLACE FUNCTION pgflow.reference_problems(step pgflow.steps, deps_slugs text[]) RETURNS TABLE(broken_constraint text, problem text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  with written (field, reference) as (
    select 'over', step.settings ->> 'over' where step.settings ->> 'over' ~ '^\$'
    union all
    select 'subflow_input', found from pgflow.references_in(step.settings -> 'input') as found
    union all
    select 'subflow_output', found from pgflow.references_in(step.settings -> 'output') as found
    union all
    -- What only looks like a reference is text here, and so is CEL.
    select 'params', found
    from pgflow.references_in(
      step.params - 'dagster-pgflow/names' - pgflow.literal_params(step.handler)
    ) as found
    where found ~ '^\$(nodes(?=[.[])|input|item)(?:\.[^].{}$\s[]+|\[\d+\])*$'
    union all
    select field.name, found
    from (values ('produces'), ('consumes'), ('partition')) as field (name)
    cross join lateral pgflow.references_in(step.settings -> field.name) as found
    union all
    select 'prompt', found from pgflow.references_in(step.settings -> 'prompt') as found
    where found ~ '^\$(nodes(?=[.[])|input|item)(?:\.[^].{}$\s[]+|\[\d+\])*$'
  ),
  read (field, is_filled_in, reference, root, dep) as (
    select
      written.field,
      written.field in ('params', 'prompt', 'produces', 'consumes', 'partition'),
      written.reference,
      (regexp_match(written.reference, '^\$(nodes|input|item)(?:\.[^].{}$\s[]+|\[\d+\])*$'))[1],
      (regexp_match(written.reference, '^\$nodes(?:\.|\[)([^].{}$\s[]+)'))[1]
    from written
  )
  select
    case
      when read.root is null or (read.root = 'nodes' and read.dep is null)
        then 'references_are_well_formed'
      when read.is_filled_in and read.root = 'item'
        then 'only_map_steps_have_elements'
      when read.is_filled_in then 'params_refer_to_dependencies'
      when read.root = 'item' then 'only_steps_over_a_list_have_items'
      when read.field = 'subflow_output' then 'output_refers_to_final_steps'
      else 'input_refers_to_dependencies'
    end,
    case
      when read.root is null or (read.root = 'nodes' and read.dep is null) then format(
        'has `%s` in its %s, which is not a reference; write $nodes.<step>, $input or $item, or a path below one of them (and $$ for a text that begins with $)',
        read.reference, read.field
      )
      when read.field = 'prompt' and read.root = 'item' then format(
        'has `%s` in its prompt, where there is no item; a flow that runs for each item of a list receives it: refer to $input',
        read.reference
      )
      when read.is_filled_in and read.root = 'item' then format(
        'has `%s` in its %s, where there is no item; only those of a map step can refer to it',
        read.reference, read.field
      )
      when read.is_filled_in and step.step_type = 'map' then format(
        'has `%s` in its %s, but receives one element at a time; refer to $item or $input',
        read.reference, read.field
      )
      when read.root = 'item' then format(
        'has `%s` in its %s, where there is no item; only subflow_input of a step that runs over a list can refer to it',
        read.reference, read.field
      )
      when read.field = 'subflow_output' then format(
        'has `%s` in its subflow_output, which can only refer to final steps of flow "%s": $nodes.<final step>',
        read.reference, step.subflow_slug
      )
      else format(
        'has `%s` in its %s, but does not depend on "%s"; add it to deps_slugs',
        read.reference, read.field, read.dep
      )
    end
  from read
  where read.root is null
    or (read.root = 'nodes' and read.dep is null)
    or (
      read.root = 'item' and read.is_filled_in and step.step_type <> 'map'
    )
    or (
      read.root = 'item' and not read.is_filled_in
      and (read.field <> 'subflow_input' or not step.settings ? 'over')
    )
    or (read.field = 'subflow_output' and read.root <> 'nodes')
    or (
      read.field <> 'subflow_output' and read.root = 'nodes'
      and (read.dep <> all (deps_slugs) or (read.is_filled_in and step.step_type = 'map'))
    )
$_$;

CREATE FUNCTION pgflow.refuse_bad_assets(step pgflow.steps) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  broken_constraint text;
  problem text;
begin
  if not pgflow.can_be_partition(step.settings ->> 'partition') then
    broken_constraint := 'partition_can_be_one';
    problem := 'has a partition that can be none; a partition is a text of 1 to 500 characters, without control characters and ...';
  else
    select
      case
        when named.how_many > 100 or not pgflow.can_be_asset_key(named.key)
          then 'assets_have_keys'
        else 'each_element_has_an_asset_of_its_own'
      end,
      case
        when named.how_many > 100 then format(
          '%s %s assets, and may name 100; let more steps do it', field.name, named.how_many
        )
        when not pgflow.can_be_asset_key(named.key) then format(
          '%s an asset whose key can be none; a key is parts with / between them, none of them empty, with up to 500 characters and no control characters',
          field.name
        )
        else format(
          'produces "%s", which is the same asset for each of its elements; refer to $item in the key or in partition, or let a step behind it produce the whole',
          left(named.key, 60)
        )
      end
    into broken_constraint, problem
    from (values ('produces'), ('consumes')) as field (name)
    cross join lateral (
      select key.template as key, count(*) over () as how_many
      from jsonb_array_elements_text(step.settings -> field.name) as key (template)
    ) as named
    where named.how_many > 100
      or not pgflow.can_be_asset_key(named.key)
      or (
        step.step_type = 'map' and field.name = 'produces' and not exists (
          select from pgflow.references_in(
            jsonb_build_array(named.key, step.settings -> 'partition')
          ) as reference
          where reference ~ '^\$item(?![^.[])'
        )
      )
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$_$;

COMMENT ON FUNCTION pgflow.refuse_bad_assets(step pgflow.steps) IS 'Raises when what a step says of assets cannot become keys and a partition';

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
      "on_timeout": {"is": "text"},
      "produces": {"is": "a list of texts", "default": []},
      "consumes": {"is": "a list of texts", "default": []},
      "partition": {"is": "text"}
    }'
    when step_type in ('approval', 'wait') then '{
      "deadline": {"is": "a whole number"},
      "on_deadline": {"is": "text", "default": "fail"},
      "default_answer": {"is": "any value"},
      "on_timeout": {"is": "text"},
      "key": {"is": "text"},
      "answer_schema": {"is": "an object"},
      "reminders": {"is": "a list of whole numbers", "default": []}
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
    when 'approval' then '{
      "prompt": {"is": "text"},
      "answerers": {"is": "a list of texts", "default": []},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'wait' then '{
      "signal": {"is": "text"},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'sleep' then '{
      "seconds": {"is": "a whole number"},
      "until": {"is": "text"},
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
    when 'single' then '{
      "merge_input": {"is": "true or false", "default": false},
      "keep_input": {"is": "true or false", "default": false}
    }'
  end::jsonb
$$;

REVOKE ALL ON FUNCTION pgflow.are_asset_keys(templates jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.can_be_partition(template text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb, before text[], after text[], requires text[], check_schemas text, coerce boolean, on_timeout text, members text[], prompt text, answerers text[], signal text, seconds integer, until text, deadline integer, on_deadline text, default_answer jsonb, key text, answer_schema jsonb, reminders integer[], timeout_ms integer, produces text[], consumes text[], partition text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.can_be_asset_key(template text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.refuse_bad_assets(step pgflow.steps) FROM PUBLIC;
