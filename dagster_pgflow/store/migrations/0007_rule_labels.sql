-- Rules of branches have labels, which the edges of a run show.
-- old code: works

set local check_function_bodies to off;

-- Whoever might call what is made anew below may go on to.
create temporary table granted_before_0007 on commit drop as
select routine.proname, right_of.grantee::regrole as grantee
from pg_proc as routine
cross join lateral aclexplode(routine.proacl) as right_of
where routine.pronamespace = 'pgflow'::regnamespace
  and routine.proname in ('run_path')
  and right_of.grantee not in (0, routine.proowner);

drop function pgflow.run_path(uuid);

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

CREATE OR REPLACE FUNCTION pgflow.refuse_bad_rules(step pgflow.steps) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  example constant text := '[{"when": "output.score > 80", "then": ["vip"]}]';
  rules constant jsonb := step.settings -> 'rules';
  broken_constraint text;
  problem text;
begin
  if step.step_type <> 'branch' then
    return;
  elsif rules is null then
    broken_constraint := 'only_branch_steps_have_rules';
    problem := format('is a branch without rules; give it some, such as rules => %L', example);
  elsif rules = '[]' then
    broken_constraint := 'rules_are_a_list';
    problem := format('has an empty list of rules; write such as rules => %L', example);
  else
    select found.broken_constraint, format('has rules[%s], which %s', rule.position - 1, found.problem)
    into broken_constraint, problem
    from jsonb_array_elements(rules) with ordinality as rule (value, position)
    cross join lateral pgflow.rule_problem(rule.value) as found
    order by rule.position
    limit 1;
    if problem is null then
      broken_constraint := 'each_condition_is_one_rule';
      select format(
        'has the condition `%s` in %s rules, and only the first of them decides; put the steps of all of them into its "then"',
        rule.value ->> 'when', count(*)
      )
      into problem
      from jsonb_array_elements(rules) as rule (value)
      group by rule.value ->> 'when'
      having count(*) > 1
      limit 1;
    end if;
    if problem is null then
      broken_constraint := 'each_label_is_one_rule';
      select format(
        'has the label "%s" in %s rules; give each rule a label of its own',
        rule.value ->> 'label', count(*)
      )
      into problem
      from jsonb_array_elements(rules) as rule (value)
      where rule.value ->> 'label' is not null
      group by rule.value ->> 'label'
      having count(*) > 1
      limit 1;
    end if;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

CREATE OR REPLACE FUNCTION pgflow.rule_problem(rule jsonb) RETURNS TABLE(broken_constraint text, problem text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select known.broken_constraint, known.problem
  from (
    values
      (
        'rules_have_their_types',
        'is not an object with "when" and "then"',
        jsonb_typeof(rule) <> 'object'
      ),
      (
        'rules_have_all_fields',
        'has no condition; write it as a text in "when"',
        not rule ? 'when'
      ),
      (
        'rules_have_all_fields',
        'has no list of steps in "then"',
        not rule ? 'then'
      ),
      (
        'rules_have_their_types',
        'has no condition; write it as a text in "when"',
        jsonb_typeof(rule -> 'when') <> 'string'
      ),
      (
        'rules_have_their_types',
        'has no list of steps in "then"',
        jsonb_typeof(rule -> 'then') <> 'array'
          or jsonb_path_exists(rule, 'strict $.then[*] ? (@.type() != "string")', '{}', true)
      ),
      (
        'rules_have_their_fields',
        'has more than "when", "then", "label" and "output_schema"',
        jsonb_typeof(rule) = 'object'
          and rule - '{when,then,label,output_schema}'::text[] <> '{}'
      ),
      (
        'rules_have_their_types',
        'has a label that is not text',
        jsonb_typeof(rule -> 'label') not in ('string', 'null')
      ),
      (
        'rules_have_their_types',
        'has an output schema that is not an object',
        jsonb_typeof(rule -> 'output_schema') not in ('object', 'null')
      ),
      (
        'labels_are_short',
        'has a label that is empty or has more than 200 characters; shorten it, or leave it out',
        char_length(rule ->> 'label') not between 1 and 200
      ),
      (
        'rules_have_conditions',
        'has no condition; write it as a text in "when"',
        rule ->> 'when' !~ '\S'
      ),
      (
        'rules_lead_to_steps',
        'leads to no step and only hides the rules behind it; name a step in "then", or leave the rule out: where no rule holds and there is no default_path, the path ends',
        rule -> 'then' = '[]'
      )
  ) as known (broken_constraint, problem, is_so)
  where known.is_so
  limit 1
$_$;

CREATE FUNCTION pgflow.run_path(run_id uuid) RETURNS TABLE(from_node text, to_node text, taken_at timestamp with time zone, sequence_num integer, after text, label text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    event.event_data ->> 'from_node',
    event.event_data ->> 'to_node',
    event.timestamp,
    event.sequence_num,
    event.event_data ->> 'status',
    event.event_data ->> 'label'
  from pgflow.event_log as event
  where event.run_id = run_path.run_id
    and event.event_type = 'token.emitted'
    -- What was cancelled led nowhere.
    and event.event_data ->> 'status' is distinct from 'cancelled'
  order by event.sequence_num
$$;

COMMENT ON FUNCTION pgflow.run_path(run_id uuid) IS 'The edges that a run took, in order: from null at its begin, to null at its end';

REVOKE ALL ON FUNCTION pgflow.run_path(run_id uuid) FROM PUBLIC;

do $$
declare
  allowed record;
begin
  for allowed in
    select routine.oid::regprocedure as name, before.grantee
    from granted_before_0007 as before
    join pg_proc as routine
      on routine.pronamespace = 'pgflow'::regnamespace and routine.proname = before.proname
  loop
    execute format('grant execute on function %s to %s', allowed.name, allowed.grantee);
  end loop;
end
$$;
