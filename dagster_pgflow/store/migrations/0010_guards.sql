-- What guards of steps count, and the fields that say so.
-- old code: works

set local check_function_bodies to off;

-- Whoever might call what is made anew below may go on to.
create temporary table granted_before_guards on commit drop as
select routine.proname, right_of.grantee::regrole as grantee
from pg_proc as routine
cross join lateral aclexplode(routine.proacl) as right_of
where routine.pronamespace = 'pgflow'::regnamespace
  and routine.proname = 'add_step'
  and right_of.grantee not in (0, routine.proowner);

drop function pgflow.add_step(text, text, text[], integer, integer, integer, integer, text, jsonb, jsonb, text, text, text, jsonb, text, text, integer, jsonb, jsonb, integer, text, text, integer, text, boolean, boolean, jsonb, jsonb, text, text, text, jsonb, text[], text, text, text, integer, text[], text[], integer, integer, text, boolean, boolean);

CREATE FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[] DEFAULT '{}'::text[], max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer, start_delay integer DEFAULT NULL::integer, step_type text DEFAULT 'single'::text, required_input_pattern jsonb DEFAULT NULL::jsonb, forbidden_input_pattern jsonb DEFAULT NULL::jsonb, when_unmet text DEFAULT 'skip'::text, when_exhausted text DEFAULT 'fail'::text, handler text DEFAULT NULL::text, params jsonb DEFAULT '{}'::jsonb, description text DEFAULT ''::text, subflow_slug text DEFAULT NULL::text, batch_size integer DEFAULT NULL::integer, input_schema jsonb DEFAULT NULL::jsonb, output_schema jsonb DEFAULT NULL::jsonb, initial_tasks integer DEFAULT NULL::integer, run_if text DEFAULT NULL::text, run_unless text DEFAULT NULL::text, max_delay integer DEFAULT NULL::integer, jitter text DEFAULT NULL::text, collect_errors boolean DEFAULT false, pipelined boolean DEFAULT false, subflow_input jsonb DEFAULT NULL::jsonb, subflow_output jsonb DEFAULT NULL::jsonb, on_failure text DEFAULT NULL::text, over text DEFAULT NULL::text, mode text DEFAULT 'inline'::text, rules jsonb DEFAULT NULL::jsonb, default_path text[] DEFAULT '{}'::text[], wait text DEFAULT 'all'::text, back_to text DEFAULT NULL::text, condition text DEFAULT NULL::text, max_iterations integer DEFAULT NULL::integer, break_path text[] DEFAULT '{}'::text[], timeout_path text[] DEFAULT '{}'::text[], max_failures integer DEFAULT NULL::integer, max_failures_percent integer DEFAULT NULL::integer, pool text DEFAULT NULL::text, merge_input boolean DEFAULT false, keep_input boolean DEFAULT false, circuit_breaker jsonb DEFAULT NULL::jsonb, bulkhead jsonb DEFAULT NULL::jsonb, rate_limiter jsonb DEFAULT NULL::jsonb) RETURNS pgflow.steps
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
    || pgflow.json_field('circuit_breaker', add_step.circuit_breaker)
    || pgflow.json_field('bulkhead', add_step.bulkhead)
    || pgflow.json_field('rate_limiter', add_step.rate_limiter)
  );
end
$_$;

COMMENT ON FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb) IS 'Adds a step behind the steps that it depends on, or returns the equal step that exists';

CREATE FUNCTION pgflow.call_lease() RETURNS interval
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select interval '30 seconds'
$$;

COMMENT ON FUNCTION pgflow.call_lease() IS 'For how long a guarded call counts after its process was last heard of';

CREATE FUNCTION pgflow.enter_call(tenant text, guards jsonb, call_id uuid, holder text, at timestamp with time zone DEFAULT clock_timestamp()) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  answer jsonb := '{}';
begin
  if guards ? 'rate_limiter' then
    answer := pgflow.take_turn(enter_call.tenant, guards -> 'rate_limiter', at);
    -- A slot or a try of a circuit breaker is nothing to hold while one waits for a turn.
    if answer ? 'refused' or (answer ->> 'wait')::double precision > 0 then
      return answer || '{"guard": "rate_limiter"}';
    end if;
  end if;
  if guards ? 'bulkhead' then
    answer := pgflow.take_slot(
      enter_call.tenant, guards -> 'bulkhead', enter_call.call_id, enter_call.holder, at
    );
    if answer ? 'refused' then
      return answer || '{"guard": "bulkhead"}';
    end if;
  end if;
  if guards ? 'circuit_breaker' then
    answer := pgflow.pass_circuit_breaker(
      enter_call.tenant, guards -> 'circuit_breaker', enter_call.call_id, enter_call.holder, at
    );
    if answer ? 'refused' then
      delete from pgflow.guarded_calls as call where call.call_id = enter_call.call_id;
      return answer || '{"guard": "circuit_breaker"}';
    end if;
  end if;
  return answer - 'wait';
end
$$;

COMMENT ON FUNCTION pgflow.enter_call(tenant text, guards jsonb, call_id uuid, holder text, at timestamp with time zone) IS 'Takes a call past the guards of its step, from the outside to the inside: it may begin, wait for its turn, or is refused';

CREATE FUNCTION pgflow.guard_fields() RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select '{
    "circuit_breaker": {
      "key": {"is": "text", "from": 1, "to": 200},
      "failure_rate": {"is": "a whole number", "default": 50, "from": 1, "to": 100},
      "window": {"is": "a whole number", "default": 100, "from": 1, "to": 1000},
      "min_calls": {"is": "a whole number", "default": 10, "from": 1, "to": 1000},
      "open_seconds": {"is": "a whole number", "default": 60, "from": 1, "to": 2147483647},
      "half_open_calls": {"is": "a whole number", "default": 3, "from": 1, "to": 1000}
    },
    "bulkhead": {
      "key": {"is": "text", "from": 1, "to": 200},
      "max_concurrent": {"is": "a whole number", "default": 25, "from": 1, "to": 2147483647},
      "max_wait_seconds": {"is": "a whole number", "default": 5, "from": 0, "to": 60}
    },
    "rate_limiter": {
      "key": {"is": "text", "from": 1, "to": 200},
      "calls": {"is": "a whole number", "default": 50, "from": 1, "to": 2147483647},
      "per_ms": {"is": "a whole number", "default": 500, "from": 1, "to": 2147483647},
      "max_wait_seconds": {"is": "a whole number", "default": 5, "from": 0, "to": 60}
    }
  }'::jsonb
$$;

COMMENT ON FUNCTION pgflow.guard_fields() IS 'What the guards of a step have: each field by name, with what it is, its default and its bounds';

CREATE OR REPLACE FUNCTION pgflow.is_setting(value jsonb, wanted text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select case wanted
    when 'text' then jsonb_typeof(value) = 'string'
    when 'true or false' then jsonb_typeof(value) = 'boolean'
    when 'a list' then jsonb_typeof(value) = 'array'
    when 'a list of texts' then
      jsonb_typeof(value) = 'array'
      and not jsonb_path_exists(value, 'strict $[*] ? (@.type() != "string")')
    when 'an object' then jsonb_typeof(value) = 'object'
    when 'an object or true' then jsonb_typeof(value) = 'object' or value = 'true'
    when 'an object or text' then jsonb_typeof(value) in ('object', 'string')
    when 'a whole number' then
      jsonb_typeof(value) = 'number'
      and value::text ~ '^-?[0-9]{1,10}$'
      and value::text::bigint between -2147483648 and 2147483647
    when 'text or a whole number' then
      jsonb_typeof(value) = 'string' or pgflow.is_setting(value, 'a whole number')
    else false
  end
$_$;

CREATE FUNCTION pgflow.keep_call(call_id uuid, at timestamp with time zone DEFAULT clock_timestamp()) RETURNS boolean
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with kept as (
    update pgflow.guarded_calls as call
    set expires_at = at + pgflow.call_lease()
    where call.call_id = keep_call.call_id
    returning call.guard
  )
  select exists (select from kept)
$$;

COMMENT ON FUNCTION pgflow.keep_call(call_id uuid, at timestamp with time zone) IS 'Says that a call is still under way, so that what it holds stays its own; false when it holds nothing any more';

CREATE FUNCTION pgflow.leave_call(tenant text, guards jsonb, call_id uuid, outcome text, round integer DEFAULT NULL::integer, at timestamp with time zone DEFAULT clock_timestamp()) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  was_trying boolean;
begin
  with gone as (
    delete from pgflow.guarded_calls as call
    where call.call_id = leave_call.call_id
    returning call.guard
  )
  select coalesce(bool_or(gone.guard = 'circuit_breaker'), false) into was_trying from gone;
  if guards ? 'circuit_breaker' and outcome in ('succeeded', 'failed') then
    perform pgflow.note_outcome(
      leave_call.tenant, guards -> 'circuit_breaker', outcome = 'failed', leave_call.round,
      was_trying, at
    );
  end if;
end
$$;

COMMENT ON FUNCTION pgflow.leave_call(tenant text, guards jsonb, call_id uuid, outcome text, round integer, at timestamp with time zone) IS 'Frees what a call held, and notes what it came to: succeeded, failed, or nothing that says anything of the service';

CREATE FUNCTION pgflow.note_outcome(tenant text, circuit_breaker jsonb, has_failed boolean, round integer, was_trying boolean, at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  rate constant integer := (circuit_breaker ->> 'failure_rate')::integer;
  size constant integer := (circuit_breaker ->> 'window')::integer;
  most constant integer := (circuit_breaker ->> 'half_open_calls')::integer;
  breaker pgflow.circuit_breakers;
  calls integer;
  failures integer;
  next_state text;
begin
  select known.* into breaker
  from pgflow.circuit_breakers as known
  where known.tenant = note_outcome.tenant and known.key = circuit_breaker ->> 'key'
  for update;
  if not found then
    insert into pgflow.circuit_breakers (tenant, key, changed_at)
    values (note_outcome.tenant, circuit_breaker ->> 'key', at)
    on conflict on constraint circuit_breakers_pkey do nothing;
    select known.* into breaker
    from pgflow.circuit_breakers as known
    where known.tenant = note_outcome.tenant and known.key = circuit_breaker ->> 'key'
    for update;
  end if;
  -- What a call says that began before the state changed is no news of the state now.
  if breaker.round <> note_outcome.round
    or breaker.state = 'open'
    or (breaker.state = 'half_open' and not was_trying)
  then
    return;
  end if;
  breaker.outcomes := breaker.outcomes || case when has_failed then 'x' else '.' end;
  if breaker.state = 'closed' then
    breaker.outcomes := right(breaker.outcomes, size);
  end if;
  calls := length(breaker.outcomes);
  failures := length(replace(breaker.outcomes, '.', ''));
  next_state := case
    when breaker.state = 'closed' then
      case when calls >= least((circuit_breaker ->> 'min_calls')::integer, size)
        and failures * 100 >= rate * calls then 'open' else 'closed' end
    -- Half open: as soon as the calls that are left cannot change it.
    when failures * 100 >= rate * most then 'open'
    when (most - calls + failures) * 100 < rate * most then 'closed'
    else 'half_open'
  end;
  update pgflow.circuit_breakers as known
  set
    state = next_state,
    outcomes = case
      when breaker.state = 'half_open' and next_state = 'closed' then ''
      else breaker.outcomes
    end,
    round = breaker.round + (next_state <> breaker.state)::integer,
    opened_at = case next_state
      when 'open' then at when 'half_open' then breaker.opened_at
    end,
    open_until = case next_state
      when 'open' then at + make_interval(secs => (circuit_breaker ->> 'open_seconds')::integer)
      when 'half_open' then breaker.open_until
    end,
    changed_at = case when next_state = breaker.state then breaker.changed_at else at end
  where known.tenant = breaker.tenant and known.key = breaker.key;
end
$$;

COMMENT ON FUNCTION pgflow.note_outcome(tenant text, circuit_breaker jsonb, has_failed boolean, round integer, was_trying boolean, at timestamp with time zone) IS 'Notes what a call past a circuit breaker came to, which may open or close it';

CREATE FUNCTION pgflow.pass_circuit_breaker(tenant text, circuit_breaker jsonb, call_id uuid, holder text, at timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  breaker_key constant text := circuit_breaker ->> 'key';
  most constant integer := (circuit_breaker ->> 'half_open_calls')::integer;
  breaker pgflow.circuit_breakers;
  trying integer;
begin
  select known.* into breaker
  from pgflow.circuit_breakers as known
  where known.tenant = pass_circuit_breaker.tenant and known.key = breaker_key;
  if not found or breaker.state = 'closed' then
    -- Nothing is written or locked, which is most calls.
    return jsonb_build_object('round', coalesce(breaker.round, 0));
  elsif breaker.state = 'open' and breaker.open_until > at then
    return pgflow.refused_by(breaker, 'open');
  end if;

  select known.* into breaker
  from pgflow.circuit_breakers as known
  where known.tenant = pass_circuit_breaker.tenant and known.key = breaker_key
  for update;
  if not found or breaker.state = 'closed' then
    return jsonb_build_object('round', coalesce(breaker.round, 0));
  elsif breaker.state = 'open' and breaker.open_until > at then
    return pgflow.refused_by(breaker, 'open');
  end if;
  delete from pgflow.guarded_calls as call
  where call.tenant = breaker.tenant
    and call.key = breaker.key
    and call.guard = 'circuit_breaker'
    and (call.expires_at <= at or call.round <> breaker.round);
  select count(*) into trying
  from pgflow.guarded_calls as call
  where call.tenant = breaker.tenant
    and call.key = breaker.key
    and call.guard = 'circuit_breaker'
    and call.call_id <> pass_circuit_breaker.call_id;
  -- Where steps that share a key ask for other numbers of calls, enough may have come back for none
  -- to decide; then they are counted anew.
  if breaker.state = 'open' or (trying = 0 and length(breaker.outcomes) >= most) then
    update pgflow.circuit_breakers as known
    set state = 'half_open', outcomes = '', round = breaker.round + 1, changed_at = at
    where known.tenant = breaker.tenant and known.key = breaker.key
    returning known.* into breaker;
  end if;
  if trying + length(breaker.outcomes) >= most then
    return pgflow.refused_by(breaker, 'half_open') || jsonb_build_object('trying', trying);
  end if;
  insert into pgflow.guarded_calls
    (call_id, guard, tenant, key, round, holder, begun_at, expires_at)
  values (
    pass_circuit_breaker.call_id, 'circuit_breaker', breaker.tenant, breaker.key, breaker.round,
    pass_circuit_breaker.holder, at, at + pgflow.call_lease()
  )
  on conflict on constraint guarded_calls_pkey do nothing;
  return jsonb_build_object('round', breaker.round, 'is_trying', true);
end
$$;

COMMENT ON FUNCTION pgflow.pass_circuit_breaker(tenant text, circuit_breaker jsonb, call_id uuid, holder text, at timestamp with time zone) IS 'Lets a call past a circuit breaker and says in which round that is, or refuses it';

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

CREATE FUNCTION pgflow.refuse_bad_guards(flow_slug text, step_slug text, settings jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  broken_constraint text;
  problem text;
begin
  if not settings ?| array['circuit_breaker', 'bulkhead', 'rate_limiter'] then
    return;
  end if;
  select
    case
      when known.field is null then 'guards_have_their_fields'
      when not given.fits then 'guards_have_their_types'
      when known.field ->> 'is' = 'text' then 'guard_keys_are_short'
      else 'guards_are_in_range'
    end,
    case
      when known.field is null then format(
        'has a %s with the field "%s", which no %1$s has; leave it out',
        replace(given.guard, '_', ' '), left(given.name, 128)
      )
      when not given.fits then format(
        'has a %s whose %s must be %s',
        replace(given.guard, '_', ' '), given.name, known.field ->> 'is'
      )
      else format(
        'has a %s whose %s must be from %s to %s%s',
        replace(given.guard, '_', ' '), given.name, known.field ->> 'from', known.field ->> 'to',
        case when known.field ->> 'is' = 'text' then ' characters long' else '' end
      )
    end
  into broken_constraint, problem
  from (
    select
      fields.guard,
      field.name,
      field.value,
      coalesce(
        pgflow.is_setting(
          field.value, pgflow.guard_fields() #>> array[fields.guard, field.name, 'is']
        ),
        false
      ) as fits
    from jsonb_each(settings) as fields (guard, value)
    cross join jsonb_each(fields.value) as field (name, value)
    where pgflow.guard_fields() ? fields.guard
  ) as given
  cross join lateral (
    select pgflow.guard_fields() #> array[given.guard, given.name]
  ) as known (field)
  where case
    when not given.fits then true
    when known.field ->> 'is' = 'text' then length(given.value #>> '{}')
      not between (known.field ->> 'from')::bigint and (known.field ->> 'to')::bigint
    else (given.value #>> '{}')::bigint
      not between (known.field ->> 'from')::bigint and (known.field ->> 'to')::bigint
  end
  order by given.guard, given.name
  limit 1;
  perform pgflow.refuse_step(flow_slug, step_slug, broken_constraint, problem);
end
$_$;

COMMENT ON FUNCTION pgflow.refuse_bad_guards(flow_slug text, step_slug text, settings jsonb) IS 'Raises when a circuit breaker, a bulkhead or a rate limiter of a step cannot be';

CREATE OR REPLACE FUNCTION pgflow.refuse_bad_settings(flow_slug text, step_slug text, step_type text, settings jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  known constant jsonb := pgflow.settings_of(step_type);
  broken_constraint text := 'settings_are_an_object';
  problem text;
begin
  if settings = '{}' or known is null then
    return;  -- That there is such a kind, another constraint says.
  elsif jsonb_typeof(settings) is distinct from 'object' then
    problem := 'has settings that are not an object; name each setting, such as {"batch_size": 10}';
  else
    select
      case
        when known ? setting.name then 'settings_have_their_types'
        else 'settings_fit_the_kind'
      end,
      case
        when not known ? setting.name then format(
          'has the setting "%s", which no %s step has; leave it out', setting.name, step_type
        )
        else format(
          'has the setting "%s", which must be %s', setting.name, known #>> array[setting.name, 'is']
        )
      end
    into broken_constraint, problem
    from jsonb_each(settings) as setting (name, value)
    where not coalesce(
      pgflow.is_setting(setting.value, known #>> array[setting.name, 'is']), false
    )
    order by setting.name
    limit 1;
  end if;
  perform pgflow.refuse_step(flow_slug, step_slug, broken_constraint, problem);
  perform pgflow.refuse_bad_guards(flow_slug, step_slug, settings);
end
$$;

CREATE TABLE pgflow.circuit_breakers (
    tenant text DEFAULT ''::text NOT NULL,
    key text NOT NULL,
    state text DEFAULT 'closed'::text NOT NULL,
    outcomes text DEFAULT ''::text NOT NULL,
    round integer DEFAULT 0 NOT NULL,
    opened_at timestamp with time zone,
    open_until timestamp with time zone,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT circuit_breakers_state_check CHECK ((state = ANY (ARRAY['closed'::text, 'open'::text, 'half_open'::text]))),
    CONSTRAINT outcomes_are_dots_and_crosses CHECK ((outcomes ~ '^[.x]*$'::text)),
    CONSTRAINT what_is_not_closed_was_opened CHECK ((((state = 'closed'::text) = (opened_at IS NULL)) AND ((opened_at IS NULL) = (open_until IS NULL))))
)
WITH (fillfactor='50');

COMMENT ON TABLE pgflow.circuit_breakers IS 'What the last calls past each circuit breaker came to; v_circuit_breakers is easier to read';

COMMENT ON COLUMN pgflow.circuit_breakers.tenant IS 'The tag "tenant" of the flows whose calls count here; empty for flows without one';

COMMENT ON COLUMN pgflow.circuit_breakers.key IS 'The key that steps name, else <flow>.<step>';

COMMENT ON COLUMN pgflow.circuit_breakers.state IS 'An open one becomes half_open with the first call after open_until';

COMMENT ON COLUMN pgflow.circuit_breakers.outcomes IS 'The last calls, the newest at the end: . went well, x failed';

COMMENT ON COLUMN pgflow.circuit_breakers.round IS 'Counts its changes of state: what a call came to that began in another round does not count';

CREATE FUNCTION pgflow.refused_by(breaker pgflow.circuit_breakers, reason text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select jsonb_build_object(
    'refused', reason,
    'since', to_char(breaker.opened_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
    'until', to_char(breaker.open_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
    'calls', length(breaker.outcomes),
    'failures', length(replace(breaker.outcomes, '.', ''))
  )
$$;

COMMENT ON FUNCTION pgflow.refused_by(breaker pgflow.circuit_breakers, reason text) IS 'What a call is told that a circuit breaker does not let through; times are in UTC';

CREATE FUNCTION pgflow.reset_circuit_breaker(key text, tenant text DEFAULT NULL::text) RETURNS integer
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with closed as (
    update pgflow.circuit_breakers as known
    set
      state = 'closed', outcomes = '', round = known.round + 1, opened_at = null,
      open_until = null, changed_at = clock_timestamp()
    where known.key = reset_circuit_breaker.key
      and known.tenant = coalesce(reset_circuit_breaker.tenant, known.tenant)
    returning known.key
  )
  select count(*)::integer from closed
$$;

COMMENT ON FUNCTION pgflow.reset_circuit_breaker(key text, tenant text) IS 'Closes a circuit breaker and forgets its calls, that of one tenant or all that the user sees; returns how many there were';

CREATE OR REPLACE FUNCTION pgflow.role_rights() RETURNS TABLE(role text, privileges text, kind text, name text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select duty.role, 'select', 'table', relation.relname
  from (values ('reader'), ('starter'), ('answerer'), ('author'), ('worker')) as duty (role)
  cross join pg_class as relation
  where relation.relnamespace = 'pgflow'::regnamespace
    and relation.relkind in ('r', 'p', 'v')
    and relation.relname <> 'tenants'
  union all
  select duty.role, 'execute', 'function', reading.name
  from (values ('reader'), ('starter'), ('answerer'), ('author'), ('worker')) as duty (role)
  cross join (
    values
      ('child_trace'), ('cron_comes_some_day'), ('flow_definition'), ('get_run_counter'),
      ('is_run_complete'), ('is_valid_slug'), ('json_field'), ('json_problem'), ('newest_version'),
      ('problem_code'), ('problem_codes'),
      ('run_path'), ('schedule_definitions'), ('seen_tenants'), ('step_definitions'),
      ('wait_for')
  ) as reading (name)
  union all
  values
    ('starter', 'execute', 'function', 'start_flow'),
    ('author', 'execute', 'function', 'create_flow'),
    ('author', 'execute', 'function', 'add_step'),
    ('author', 'execute', 'function', 'define_step'),
    ('author', 'execute', 'function', 'replace_flow'),
    ('author', 'execute', 'function', 'publish_flow'),
    ('author', 'execute', 'function', 'delete_flow'),
    ('author', 'execute', 'function', 'describe_sessions'),
    ('author', 'execute', 'function', 'reset_circuit_breaker'),
    ('author', 'update', 'table', 'circuit_breakers'),
    ('author', 'insert, update, delete', 'table', 'flows'),
    ('author', 'insert, update, delete', 'table', 'steps'),
    ('author', 'insert, update, delete', 'table', 'deps'),
    ('author', 'insert, update, delete', 'table', 'schedules'),
    ('author', 'insert, update, delete', 'table', 'workflows'),
    ('author', 'insert, update, delete', 'table', 'workflow_steps'),
    ('author', 'insert, update, delete', 'table', 'workflow_step_dependencies_def'),
    ('worker', 'execute', 'function', 'refuse_run'),
    ('worker', 'execute', 'function', 'claim_request'),
    ('worker', 'execute', 'function', 'hand_over'),
    ('worker', 'execute', 'function', 'last_place_of'),
    ('worker', 'execute', 'function', 'next_group'),
    ('worker', 'execute', 'function', 'next_priority'),
    ('worker', 'execute', 'function', 'next_requests'),
    ('worker', 'execute', 'function', 'next_tenant'),
    ('worker', 'execute', 'function', 'room_for'),
    ('worker', 'execute', 'function', 'take_request'),
    ('worker', 'execute', 'function', 'call_lease'),
    ('worker', 'execute', 'function', 'enter_call'),
    ('worker', 'execute', 'function', 'guard_fields'),
    ('worker', 'execute', 'function', 'keep_call'),
    ('worker', 'execute', 'function', 'leave_call'),
    ('worker', 'execute', 'function', 'note_outcome'),
    ('worker', 'execute', 'function', 'pass_circuit_breaker'),
    ('worker', 'execute', 'function', 'refused_by'),
    ('worker', 'execute', 'function', 'reset_circuit_breaker'),
    ('worker', 'execute', 'function', 'take_slot'),
    ('worker', 'execute', 'function', 'take_turn'),
    ('worker', 'update (allowed_tags)', 'table', 'store'),
    ('worker', 'update (handed_over_at, refused_at, refused_reason, needs_queue)', 'table', 'run_requests'),
    ('worker', 'update (concurrency_key, awaits_key, turn)', 'table', 'run_requests'),
    ('worker', 'insert, update', 'table', 'bulkheads'),
    ('worker', 'insert, update', 'table', 'circuit_breakers'),
    ('worker', 'insert, update, delete', 'table', 'guarded_calls'),
    ('worker', 'insert, update', 'table', 'rate_limiters'),
    ('worker', 'insert, update, delete', 'table', 'live_workers'),
    ('worker', 'insert, update, delete', 'table', 'live_runs'),
    ('worker', 'insert, update', 'table', 'runs'),
    ('worker', 'insert, update', 'table', 'run_statistics'),
    ('worker', 'insert, update', 'table', 'step_outputs'),
    ('worker', 'insert, update', 'table', 'projection_cursors'),
    ('worker', 'insert, delete', 'table', 'event_log'),
    ('worker', 'insert, delete', 'table', 'applied_keys'),
    ('worker', 'insert, update, delete', 'table', 'run_cursors'),
    ('worker', 'insert, update, delete', 'table', 'subruns'),
    ('worker', 'insert, update, delete', 'table', 'step_states'),
    ('worker', 'insert, update, delete', 'table', 'step_tasks'),
    ('worker', 'insert, update, delete', 'table', 'node_executions'),
    ('worker', 'insert, update, delete', 'table', 'run_counter_snapshots'),
    ('worker', 'insert, update, delete', 'table', 'pending_tokens'),
    ('worker', 'insert, update, delete', 'table', 'loop_state'),
    ('worker', 'insert, update, delete', 'table', 'worker_registry')
$$;

CREATE OR REPLACE FUNCTION pgflow.settings_of(step_type text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
    when step_type in ('single', 'map', 'branch', 'loop') then '{
      "circuit_breaker": {"is": "an object or true"},
      "bulkhead": {"is": "an object or true"},
      "rate_limiter": {"is": "an object or true"}
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

CREATE OR REPLACE FUNCTION pgflow.settled(given jsonb, step_type text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
    when jsonb_typeof(given) <> 'object' or given = '{}' then given
    else coalesce(
      (
        select jsonb_object_agg(
          setting.name, pgflow.settled_guard(setting.name, setting.value)
        )
        from jsonb_each(given) as setting (name, value)
        where setting.value is distinct from known.settings #> array[setting.name, 'default']
      ),
      '{}'
    )
  end
  from (select pgflow.settings_of(step_type)) as known (settings)
$$;

CREATE FUNCTION pgflow.settled_guard(guard text, given jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
    when not pgflow.guard_fields() ? guard then given
    when given = 'true' then '{}'
    when jsonb_typeof(given) <> 'object' then given
    else coalesce(
      (
        select jsonb_object_agg(field.name, field.value)
        from jsonb_each(given) as field (name, value)
        where field.value <> 'null'
          and field.value
            is distinct from pgflow.guard_fields() #> array[guard, field.name, 'default']
      ),
      '{}'
    )
  end
$$;

COMMENT ON FUNCTION pgflow.settled_guard(guard text, given jsonb) IS 'A guard without what is as by default; any other setting as it is';

CREATE FUNCTION pgflow.take_slot(tenant text, bulkhead jsonb, call_id uuid, holder text, at timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  most constant integer := (bulkhead ->> 'max_concurrent')::integer;
  under_way integer;
begin
  -- Whoever looks for a slot of the same bulkhead waits here, and then sees who has one.
  perform from pgflow.bulkheads as known
  where known.tenant = take_slot.tenant
    and known.key = bulkhead ->> 'key'
    and known.max_concurrent = most
  for update;
  if not found then
    insert into pgflow.bulkheads (tenant, key, max_concurrent)
    values (take_slot.tenant, bulkhead ->> 'key', most)
    on conflict on constraint bulkheads_pkey do update set max_concurrent = excluded.max_concurrent;
  end if;
  delete from pgflow.guarded_calls as call
  where call.tenant = take_slot.tenant
    and call.key = bulkhead ->> 'key'
    and call.guard = 'bulkhead'
    and call.expires_at <= at;
  select count(*) into under_way
  from pgflow.guarded_calls as call
  where call.tenant = take_slot.tenant
    and call.key = bulkhead ->> 'key'
    and call.guard = 'bulkhead'
    and call.call_id <> take_slot.call_id;
  if under_way >= most then
    return jsonb_build_object('refused', 'full', 'under_way', under_way);
  end if;
  insert into pgflow.guarded_calls (call_id, guard, tenant, key, holder, begun_at, expires_at)
  values (
    take_slot.call_id, 'bulkhead', take_slot.tenant, bulkhead ->> 'key', take_slot.holder,
    at, at + pgflow.call_lease()
  )
  -- Asked again after an answer that was lost.
  on conflict on constraint guarded_calls_pkey do nothing;
  return '{}';
end
$$;

COMMENT ON FUNCTION pgflow.take_slot(tenant text, bulkhead jsonb, call_id uuid, holder text, at timestamp with time zone) IS 'Takes a slot of a bulkhead for a call, or says that none is free';

CREATE FUNCTION pgflow.take_turn(tenant text, rate_limiter jsonb, at timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  per_ms constant integer := (rate_limiter ->> 'per_ms')::integer;
  most_ahead constant interval := make_interval(
    secs => (pgflow.guard_fields() #>> '{rate_limiter,max_wait_seconds,to}')::integer
  );
  this_period constant timestamptz := to_timestamp(
    div(extract(epoch from at)::numeric * 1000, per_ms) * per_ms / 1000
  );
  kept pgflow.rate_limiters;
  wait double precision;
begin
  select known.* into kept
  from pgflow.rate_limiters as known
  where known.tenant = take_turn.tenant and known.key = rate_limiter ->> 'key'
  for update;
  if not found then
    insert into pgflow.rate_limiters (tenant, key, period_at, taken)
    values (take_turn.tenant, rate_limiter ->> 'key', this_period, 0)
    on conflict on constraint rate_limiters_pkey do nothing;
    select known.* into kept
    from pgflow.rate_limiters as known
    where known.tenant = take_turn.tenant and known.key = rate_limiter ->> 'key'
    for update;
  end if;

  -- A period that lies further ahead than turns are given is left from before a clock was set back.
  if kept.period_at < this_period or kept.period_at > at + most_ahead then
    kept.period_at := this_period;
    kept.taken := 0;
  end if;
  if kept.taken >= (rate_limiter ->> 'calls')::integer then
    kept.period_at := kept.period_at + per_ms * interval '1 millisecond';
    kept.taken := 0;
  end if;
  wait := greatest(extract(epoch from kept.period_at - at), 0);
  if wait > (rate_limiter ->> 'max_wait_seconds')::integer then
    return jsonb_build_object('refused', 'no_turn', 'seconds', wait);
  end if;
  update pgflow.rate_limiters as known
  set period_at = kept.period_at, taken = kept.taken + 1
  where known.tenant = kept.tenant and known.key = kept.key;
  return jsonb_build_object('wait', wait);
end
$$;

COMMENT ON FUNCTION pgflow.take_turn(tenant text, rate_limiter jsonb, at timestamp with time zone) IS 'Takes a turn of a rate limiter: how many seconds to wait for it, or that it is refused';

CREATE TABLE pgflow.bulkheads (
    tenant text DEFAULT ''::text NOT NULL,
    key text NOT NULL,
    max_concurrent integer NOT NULL
);

COMMENT ON TABLE pgflow.bulkheads IS 'The row that calls past a bulkhead lock while they look for a slot; v_bulkheads says how many there are';

COMMENT ON COLUMN pgflow.bulkheads.max_concurrent IS 'How many calls may be under way at once, as the step said that took the last slot';

CREATE TABLE pgflow.guarded_calls (
    call_id uuid NOT NULL,
    guard text NOT NULL,
    tenant text DEFAULT ''::text NOT NULL,
    key text NOT NULL,
    round integer,
    holder text NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT guarded_calls_guard_check CHECK ((guard = ANY (ARRAY['bulkhead'::text, 'circuit_breaker'::text])))
);

COMMENT ON TABLE pgflow.guarded_calls IS 'The calls under way that hold a slot of a bulkhead, or try whether a half open circuit breaker may close';

COMMENT ON COLUMN pgflow.guarded_calls.round IS 'The round of the circuit breaker that the call is of';

COMMENT ON COLUMN pgflow.guarded_calls.holder IS 'Whose call it is: the run, the step, the process';

COMMENT ON COLUMN pgflow.guarded_calls.expires_at IS 'Until when it counts; the process at work moves this on, so what a dead one held is free soon';

CREATE TABLE pgflow.rate_limiters (
    tenant text DEFAULT ''::text NOT NULL,
    key text NOT NULL,
    period_at timestamp with time zone NOT NULL,
    taken integer NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE pgflow.rate_limiters IS 'The turns that each rate limiter has given';

COMMENT ON COLUMN pgflow.rate_limiters.period_at IS 'When the last period begins of which turns were given; calls wait for it where it is yet to come';

COMMENT ON COLUMN pgflow.rate_limiters.taken IS 'How many turns of that period were given';

CREATE VIEW pgflow.v_bulkheads AS
 SELECT bulkhead.tenant,
    bulkhead.key,
    bulkhead.max_concurrent,
    count(call.call_id) AS under_way,
    min(call.begun_at) AS oldest_begun_at
   FROM (pgflow.bulkheads bulkhead
     LEFT JOIN pgflow.guarded_calls call ON (((call.tenant = bulkhead.tenant) AND (call.key = bulkhead.key) AND (call.guard = 'bulkhead'::text) AND (call.expires_at > clock_timestamp()))))
  GROUP BY bulkhead.tenant, bulkhead.key, bulkhead.max_concurrent;

COMMENT ON VIEW pgflow.v_bulkheads IS 'How many calls are under way past each bulkhead';

CREATE VIEW pgflow.v_circuit_breakers AS
 SELECT tenant,
    key,
        CASE
            WHEN ((state = 'open'::text) AND (open_until <= clock_timestamp())) THEN 'half_open'::text
            ELSE state
        END AS state,
    length(outcomes) AS calls,
    length(replace(outcomes, '.'::text, ''::text)) AS failures,
    round(((100.0 * (length(replace(outcomes, '.'::text, ''::text)))::numeric) / (NULLIF(length(outcomes), 0))::numeric), 1) AS failure_rate,
    opened_at,
    open_until,
    ( SELECT count(*) AS count
           FROM pgflow.guarded_calls call
          WHERE ((call.tenant = breaker.tenant) AND (call.key = breaker.key) AND (call.guard = 'circuit_breaker'::text) AND (call.round = breaker.round) AND (call.expires_at > clock_timestamp()))) AS trying,
    changed_at
   FROM pgflow.circuit_breakers breaker;

COMMENT ON VIEW pgflow.v_circuit_breakers IS 'How each circuit breaker stands: its state, what the calls came to that count, and until when it is open';

ALTER TABLE ONLY pgflow.bulkheads
    ADD CONSTRAINT bulkheads_pkey PRIMARY KEY (tenant, key);

ALTER TABLE ONLY pgflow.circuit_breakers
    ADD CONSTRAINT circuit_breakers_pkey PRIMARY KEY (tenant, key);

ALTER TABLE ONLY pgflow.guarded_calls
    ADD CONSTRAINT guarded_calls_pkey PRIMARY KEY (call_id, guard);

ALTER TABLE ONLY pgflow.rate_limiters
    ADD CONSTRAINT rate_limiters_pkey PRIMARY KEY (tenant, key);

CREATE INDEX guarded_calls_by_key ON pgflow.guarded_calls USING btree (tenant, key, guard);

CREATE POLICY tenants_see_their_own ON pgflow.bulkheads USING ((ARRAY[tenant, '*'::text] && ( SELECT pgflow.seen_tenants() AS seen_tenants)));

CREATE POLICY tenants_see_their_own ON pgflow.circuit_breakers USING ((ARRAY[tenant, '*'::text] && ( SELECT pgflow.seen_tenants() AS seen_tenants)));

CREATE POLICY tenants_see_their_own ON pgflow.guarded_calls USING ((ARRAY[tenant, '*'::text] && ( SELECT pgflow.seen_tenants() AS seen_tenants)));

CREATE POLICY tenants_see_their_own ON pgflow.rate_limiters USING ((ARRAY[tenant, '*'::text] && ( SELECT pgflow.seen_tenants() AS seen_tenants)));

REVOKE ALL ON FUNCTION pgflow.add_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.call_lease() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.enter_call(tenant text, guards jsonb, call_id uuid, holder text, at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.guard_fields() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.keep_call(call_id uuid, at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.leave_call(tenant text, guards jsonb, call_id uuid, outcome text, round integer, at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.note_outcome(tenant text, circuit_breaker jsonb, has_failed boolean, round integer, was_trying boolean, at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.pass_circuit_breaker(tenant text, circuit_breaker jsonb, call_id uuid, holder text, at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.refuse_bad_guards(flow_slug text, step_slug text, settings jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.refused_by(breaker pgflow.circuit_breakers, reason text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.reset_circuit_breaker(key text, tenant text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.settled_guard(guard text, given jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.take_slot(tenant text, bulkhead jsonb, call_id uuid, holder text, at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.take_turn(tenant text, rate_limiter jsonb, at timestamp with time zone) FROM PUBLIC;

do $$
declare
  entry record;
  isolated boolean;
begin
  for entry in
    select routine.oid::regprocedure as called, granted_before_guards.grantee
    from pg_proc as routine
    join granted_before_guards on granted_before_guards.proname = routine.proname
    where routine.pronamespace = 'pgflow'::regnamespace
  loop
    execute format('grant execute on function %s to %s', entry.called, entry.grantee);
  end loop;

  -- Where tenants are isolated, what is new keeps them apart, too.
  select flows.relrowsecurity into isolated
  from pg_class as flows
  where flows.oid = 'pgflow.flows'::regclass;
  if isolated then
    alter table pgflow.bulkheads enable row level security;
    alter table pgflow.circuit_breakers enable row level security;
    alter table pgflow.guarded_calls enable row level security;
    alter table pgflow.rate_limiters enable row level security;
    alter view pgflow.v_bulkheads set (security_invoker = true);
    alter view pgflow.v_circuit_breakers set (security_invoker = true);
  end if;
end
$$;
