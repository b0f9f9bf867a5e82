-- old code: works

set local check_function_bodies to off;

drop function pgflow.create_flow(text, integer, integer, integer, integer, text, text, jsonb, jsonb, jsonb, integer, text, integer, boolean);

drop function pgflow.add_step(text, text, text[], integer, integer, integer, integer, text, jsonb, jsonb, text, text, text, jsonb, text, text, integer, jsonb, jsonb, integer, text, text, integer, text, boolean, boolean, jsonb, jsonb, text, text, text, jsonb, text[], text, text, text, integer, text[], text[], integer, integer, text, boolean, boolean, jsonb, jsonb, jsonb, text[], text[], text[], text, boolean, text, text[], text, text[], text, integer, text, integer, text, jsonb, text, jsonb, integer[]);

alter table pgflow.steps add column opt_timeout_ms integer;

alter table pgflow.steps add constraint a_timeout_is_said_once CHECK (((opt_timeout)::numeric = ((opt_timeout_ms)::numeric / 1000.0)));

alter table pgflow.steps add constraint opt_timeout_ms_is_positive CHECK ((opt_timeout_ms > 0));

CREATE FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[] DEFAULT '{}'::text[], max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer, start_delay integer DEFAULT NULL::integer, step_type text DEFAULT 'single'::text, required_input_pattern jsonb DEFAULT NULL::jsonb, forbidden_input_pattern jsonb DEFAULT NULL::jsonb, when_unmet text DEFAULT 'skip'::text, when_exhausted text DEFAULT 'fail'::text, handler text DEFAULT NULL::text, params jsonb DEFAULT '{}'::jsonb, description text DEFAULT ''::text, subflow_slug text DEFAULT NULL::text, batch_size integer DEFAULT NULL::integer, input_schema jsonb DEFAULT NULL::jsonb, output_schema jsonb DEFAULT NULL::jsonb, initial_tasks integer DEFAULT NULL::integer, run_if text DEFAULT NULL::text, run_unless text DEFAULT NULL::text, max_delay integer DEFAULT NULL::integer, jitter text DEFAULT NULL::text, collect_errors boolean DEFAULT false, pipelined boolean DEFAULT false, subflow_input jsonb DEFAULT NULL::jsonb, subflow_output jsonb DEFAULT NULL::jsonb, on_failure text DEFAULT NULL::text, over text DEFAULT NULL::text, mode text DEFAULT 'inline'::text, rules jsonb DEFAULT NULL::jsonb, default_path text[] DEFAULT '{}'::text[], wait text DEFAULT 'all'::text, back_to text DEFAULT NULL::text, condition text DEFAULT NULL::text, max_iterations integer DEFAULT NULL::integer, break_path text[] DEFAULT '{}'::text[], timeout_path text[] DEFAULT '{}'::text[], max_failures integer DEFAULT NULL::integer, max_failures_percent integer DEFAULT NULL::integer, pool text DEFAULT NULL::text, merge_input boolean DEFAULT false, keep_input boolean DEFAULT false, circuit_breaker jsonb DEFAULT NULL::jsonb, bulkhead jsonb DEFAULT NULL::jsonb, rate_limiter jsonb DEFAULT NULL::jsonb, before text[] DEFAULT '{}'::text[], after text[] DEFAULT '{}'::text[], requires text[] DEFAULT '{}'::text[], check_schemas text DEFAULT 'off'::text, coerce boolean DEFAULT false, on_timeout text DEFAULT NULL::text, members text[] DEFAULT '{}'::text[], prompt text DEFAULT NULL::text, answerers text[] DEFAULT '{}'::text[], signal text DEFAULT NULL::text, seconds integer DEFAULT NULL::integer, until text DEFAULT NULL::text, deadline integer DEFAULT NULL::integer, on_deadline text DEFAULT 'fail'::text, default_answer jsonb DEFAULT NULL::jsonb, key text DEFAULT NULL::text, answer_schema jsonb DEFAULT NULL::jsonb, reminders integer[] DEFAULT '{}'::integer[], timeout_ms integer DEFAULT NULL::integer) RETURNS pgflow.steps
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

COMMENT ON FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb, before text[], after text[], requires text[], check_schemas text, coerce boolean, on_timeout text, members text[], prompt text, answerers text[], signal text, seconds integer, until text, deadline integer, on_deadline text, default_answer jsonb, key text, answer_schema jsonb, reminders integer[], timeout_ms integer) IS 'Adds a step behind the steps that it depends on, or returns the equal step that exists';

alter table pgflow.flows add column opt_timeout_ms integer;

alter table pgflow.flows add constraint a_timeout_is_said_once CHECK (((opt_timeout_ms IS NULL) OR ((opt_timeout = 60) OR ((opt_timeout)::numeric = ((opt_timeout_ms)::numeric / 1000.0)))));

alter table pgflow.flows add constraint opt_timeout_ms_is_positive CHECK ((opt_timeout_ms > 0));

COMMENT ON COLUMN pgflow.flows.opt_timeout_ms IS 'Milliseconds that one attempt of a step may take, in place of opt_timeout';

CREATE FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer, max_delay integer DEFAULT NULL::integer, jitter text DEFAULT NULL::text, description text DEFAULT ''::text, tags jsonb DEFAULT '{}'::jsonb, input_schema jsonb DEFAULT NULL::jsonb, output_schema jsonb DEFAULT NULL::jsonb, max_concurrent_runs integer DEFAULT NULL::integer, concurrency_key text DEFAULT NULL::text, max_concurrent_runs_per_key integer DEFAULT NULL::integer, merge_output boolean DEFAULT false, timeout_ms integer DEFAULT NULL::integer) RETURNS pgflow.flows
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
      merge_output, opt_timeout_ms
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
      create_flow.timeout_ms
    )
    on conflict do nothing
    returning * into flow;
    exit when found;
    -- Another session created it meanwhile, and may even have deleted it: look again.
  end loop;
  return flow;
end
$$;

COMMENT ON FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer, base_delay integer, timeout integer, max_delay integer, jitter text, description text, tags jsonb, input_schema jsonb, output_schema jsonb, max_concurrent_runs integer, concurrency_key text, max_concurrent_runs_per_key integer, merge_output boolean, timeout_ms integer) IS 'Creates a flow, or returns the one that exists unchanged; nulls mean 3 attempts, 5 s, 60 s';

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
        'timeout_ms', flow.opt_timeout_ms,
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
    ('key_is_not_empty', 'invalid-expression'),
    ('until_is_not_empty', 'invalid-expression'),
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
    opt_timeout_ms = (definition #>> '{options,timeout_ms}')::integer,
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

CREATE OR REPLACE FUNCTION pgflow.steps_of(flow_slug text, steps jsonb, first_index integer) RETURNS SETOF pgflow.steps
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    steps_of.flow_slug,
    given.step ->> 'slug',
    coalesce(given.step ->> 'type', 'single'),
    first_index + given.position::integer - 1,
    0,
    (given.step #>> '{options,max_attempts}')::integer,
    (given.step #>> '{options,base_delay}')::integer,
    (given.step #>> '{options,timeout}')::integer,
    (given.step #>> '{options,start_delay}')::integer,
    given.step -> 'if',
    given.step -> 'if_not',
    coalesce(given.step ->> 'when_unmet', 'skip'),
    coalesce(given.step ->> 'when_exhausted', 'fail'),
    now(),
    given.step ->> 'handler',
    coalesce(given.step -> 'params', '{}'),
    coalesce(given.step ->> 'description', ''),
    given.step ->> 'flow',
    given.step -> 'input_schema',
    given.step -> 'output_schema',
    (given.step ->> 'initial_tasks')::integer,
    given.step ->> 'run_if',
    given.step ->> 'run_unless',
    (given.step #>> '{options,max_delay}')::integer,
    given.step #>> '{options,jitter}',
    given.step ->> 'pool',
    pgflow.settled(
      given.step - array[
        'slug', 'type', 'depends_on', 'options', 'if', 'if_not', 'when_unmet', 'when_exhausted',
        'handler', 'params', 'description', 'flow', 'input_schema', 'output_schema',
        'initial_tasks', 'run_if', 'run_unless', 'pool'
      ],
      coalesce(given.step ->> 'type', 'single')
    ),
    (given.step #>> '{options,timeout_ms}')::integer
  from jsonb_array_elements(steps) with ordinality as given (step, position)
$$;

REVOKE ALL ON FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb, before text[], after text[], requires text[], check_schemas text, coerce boolean, on_timeout text, members text[], prompt text, answerers text[], signal text, seconds integer, until text, deadline integer, on_deadline text, default_answer jsonb, key text, answer_schema jsonb, reminders integer[], timeout_ms integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer, base_delay integer, timeout integer, max_delay integer, jitter text, description text, tags jsonb, input_schema jsonb, output_schema jsonb, max_concurrent_runs integer, concurrency_key text, max_concurrent_runs_per_key integer, merge_output boolean, timeout_ms integer) FROM PUBLIC;
