-- old code: works

set local check_function_bodies to off;

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
      ('child_trace'), ('closes_circle'), ('cron_comes_some_day'), ('flow_definition'),
      ('flows_led_to'), ('get_run_counter'),
      ('is_run_complete'), ('is_valid_slug'), ('is_webhook'), ('json_field'), ('json_problem'),
      ('newest_version'),
      ('problem_code'), ('problem_codes'),
      ('run_path'), ('schedule_definitions'), ('seen_tenants'), ('step_definitions'),
      ('wait_for')
  ) as reading (name)
  union all
  values
    ('starter', 'execute', 'function', 'start_flow'),
    ('answerer', 'execute', 'function', 'answer'),
    ('answerer', 'execute', 'function', 'signal'),
    ('author', 'execute', 'function', 'create_flow'),
    ('author', 'execute', 'function', 'add_step'),
    ('author', 'execute', 'function', 'set_step'),
    ('author', 'execute', 'function', 'define_step'),
    ('author', 'execute', 'function', 'replace_flow'),
    ('author', 'execute', 'function', 'publish_flow'),
    ('author', 'execute', 'function', 'delete_flow'),
    ('author', 'execute', 'function', 'create_trigger'),
    ('author', 'execute', 'function', 'delete_trigger'),
    ('author', 'execute', 'function', 'enable_trigger'),
    ('author', 'execute', 'function', 'describe_sessions'),
    ('author', 'execute', 'function', 'reset_circuit_breaker'),
    ('author', 'update', 'table', 'circuit_breakers'),
    ('author', 'insert, update, delete', 'table', 'flows'),
    ('author', 'insert, update, delete', 'table', 'steps'),
    ('author', 'insert, update, delete', 'table', 'deps'),
    ('author', 'insert, update, delete', 'table', 'schedules'),
    ('author', 'insert, update, delete', 'table', 'triggers'),
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
    ('worker', 'execute', 'function', 'answer'),
    ('worker', 'execute', 'function', 'answer_problem'),
    ('worker', 'execute', 'function', 'cancel_waiting_run'),
    ('worker', 'execute', 'function', 'claim_continuation'),
    ('worker', 'execute', 'function', 'close_wait'),
    ('worker', 'execute', 'function', 'deliver_signal'),
    ('worker', 'execute', 'function', 'end_continuation'),
    ('worker', 'execute', 'function', 'recover_run'),
    ('worker', 'execute', 'function', 'is_of_json_type'),
    ('worker', 'execute', 'function', 'lock_of_continuations'),
    ('worker', 'execute', 'function', 'lock_signals'),
    ('worker', 'execute', 'function', 'match_signals'),
    ('worker', 'execute', 'function', 'open_wait'),
    ('worker', 'execute', 'function', 'referred_schema'),
    ('worker', 'execute', 'function', 'runs_to_go_on'),
    ('worker', 'execute', 'function', 'schema_problem'),
    ('worker', 'execute', 'function', 'schema_rules_within'),
    ('worker', 'execute', 'function', 'schema_verdict'),
    ('worker', 'execute', 'function', 'signal'),
    ('worker', 'execute', 'function', 'sweep_signals'),
    ('worker', 'execute', 'function', 'take_signal'),
    ('worker', 'execute', 'function', 'claim_deliveries'),
    ('worker', 'execute', 'function', 'note_delivery'),
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
    ('worker', 'execute', 'function', 'event_of'),
    ('worker', 'execute', 'function', 'fire_trigger'),
    ('worker', 'execute', 'function', 'note_asset_events'),
    ('worker', 'insert, update', 'table', 'asset_cursors'),
    ('worker', 'update (outcome, reason, decided_at)', 'table', 'trigger_outcomes'),
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
    ('worker', 'insert, update', 'table', 'waits'),
    ('worker', 'insert, update, delete', 'table', 'signals'),
    ('worker', 'insert, update', 'table', 'run_continuations'),
    ('worker', 'insert, update', 'table', 'run_statistics'),
    ('worker', 'insert, update', 'table', 'step_outputs'),
    ('worker', 'insert, update', 'table', 'projection_cursors'),
    ('worker', 'update', 'table', 'webhook_deliveries'),
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

CREATE FUNCTION pgflow.set_step(flow_slug text, step_slug text, deps_slugs text[] DEFAULT '{}'::text[], max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer, start_delay integer DEFAULT NULL::integer, step_type text DEFAULT 'single'::text, required_input_pattern jsonb DEFAULT NULL::jsonb, forbidden_input_pattern jsonb DEFAULT NULL::jsonb, when_unmet text DEFAULT 'skip'::text, when_exhausted text DEFAULT 'fail'::text, handler text DEFAULT NULL::text, params jsonb DEFAULT '{}'::jsonb, description text DEFAULT ''::text, subflow_slug text DEFAULT NULL::text, batch_size integer DEFAULT NULL::integer, input_schema jsonb DEFAULT NULL::jsonb, output_schema jsonb DEFAULT NULL::jsonb, initial_tasks integer DEFAULT NULL::integer, run_if text DEFAULT NULL::text, run_unless text DEFAULT NULL::text, max_delay integer DEFAULT NULL::integer, jitter text DEFAULT NULL::text, collect_errors boolean DEFAULT false, pipelined boolean DEFAULT false, subflow_input jsonb DEFAULT NULL::jsonb, subflow_output jsonb DEFAULT NULL::jsonb, on_failure text DEFAULT NULL::text, over text DEFAULT NULL::text, mode text DEFAULT 'inline'::text, rules jsonb DEFAULT NULL::jsonb, default_path text[] DEFAULT '{}'::text[], wait text DEFAULT 'all'::text, back_to text DEFAULT NULL::text, condition text DEFAULT NULL::text, max_iterations integer DEFAULT NULL::integer, break_path text[] DEFAULT '{}'::text[], timeout_path text[] DEFAULT '{}'::text[], max_failures integer DEFAULT NULL::integer, max_failures_percent integer DEFAULT NULL::integer, pool text DEFAULT NULL::text, merge_input boolean DEFAULT false, keep_input boolean DEFAULT false, circuit_breaker jsonb DEFAULT NULL::jsonb, bulkhead jsonb DEFAULT NULL::jsonb, rate_limiter jsonb DEFAULT NULL::jsonb, before text[] DEFAULT '{}'::text[], after text[] DEFAULT '{}'::text[], requires text[] DEFAULT '{}'::text[], check_schemas text DEFAULT 'off'::text, coerce boolean DEFAULT false, on_timeout text DEFAULT NULL::text, members text[] DEFAULT '{}'::text[], prompt text DEFAULT NULL::text, answerers text[] DEFAULT '{}'::text[], signal text DEFAULT NULL::text, seconds integer DEFAULT NULL::integer, until text DEFAULT NULL::text, deadline integer DEFAULT NULL::integer, on_deadline text DEFAULT 'fail'::text, default_answer jsonb DEFAULT NULL::jsonb, key text DEFAULT NULL::text, answer_schema jsonb DEFAULT NULL::jsonb, reminders integer[] DEFAULT '{}'::integer[], timeout_ms integer DEFAULT NULL::integer) RETURNS pgflow.steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  behind constant jsonb := pgflow.take_out_steps(
    set_step.flow_slug, set_step.step_slug, set_step.deps_slugs
  );
  stored pgflow.steps;
begin
  stored := pgflow.add_step(
    flow_slug => set_step.flow_slug,
    step_slug => set_step.step_slug,
    deps_slugs => set_step.deps_slugs,
    max_attempts => set_step.max_attempts,
    base_delay => set_step.base_delay,
    timeout => set_step.timeout,
    start_delay => set_step.start_delay,
    step_type => set_step.step_type,
    required_input_pattern => set_step.required_input_pattern,
    forbidden_input_pattern => set_step.forbidden_input_pattern,
    when_unmet => set_step.when_unmet,
    when_exhausted => set_step.when_exhausted,
    handler => set_step.handler,
    params => set_step.params,
    description => set_step.description,
    subflow_slug => set_step.subflow_slug,
    batch_size => set_step.batch_size,
    input_schema => set_step.input_schema,
    output_schema => set_step.output_schema,
    initial_tasks => set_step.initial_tasks,
    run_if => set_step.run_if,
    run_unless => set_step.run_unless,
    max_delay => set_step.max_delay,
    jitter => set_step.jitter,
    collect_errors => set_step.collect_errors,
    pipelined => set_step.pipelined,
    subflow_input => set_step.subflow_input,
    subflow_output => set_step.subflow_output,
    on_failure => set_step.on_failure,
    over => set_step.over,
    mode => set_step.mode,
    rules => set_step.rules,
    default_path => set_step.default_path,
    wait => set_step.wait,
    back_to => set_step.back_to,
    condition => set_step.condition,
    max_iterations => set_step.max_iterations,
    break_path => set_step.break_path,
    timeout_path => set_step.timeout_path,
    max_failures => set_step.max_failures,
    max_failures_percent => set_step.max_failures_percent,
    pool => set_step.pool,
    merge_input => set_step.merge_input,
    keep_input => set_step.keep_input,
    circuit_breaker => set_step.circuit_breaker,
    bulkhead => set_step.bulkhead,
    rate_limiter => set_step.rate_limiter,
    before => set_step.before,
    after => set_step.after,
    requires => set_step.requires,
    check_schemas => set_step.check_schemas,
    coerce => set_step.coerce,
    on_timeout => set_step.on_timeout,
    members => set_step.members,
    prompt => set_step.prompt,
    answerers => set_step.answerers,
    signal => set_step.signal,
    seconds => set_step.seconds,
    until => set_step.until,
    deadline => set_step.deadline,
    on_deadline => set_step.on_deadline,
    default_answer => set_step.default_answer,
    key => set_step.key,
    answer_schema => set_step.answer_schema,
    reminders => set_step.reminders,
    timeout_ms => set_step.timeout_ms
  );
  -- Each is looked at as it was when it was added: it may not go with the new one.
  perform pgflow.define_step(set_step.flow_slug, other.definition)
  from jsonb_array_elements(behind) with ordinality as other (definition, position)
  order by other.position;
  return stored;
end
$$;

COMMENT ON FUNCTION pgflow.set_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb, before text[], after text[], requires text[], check_schemas text, coerce boolean, on_timeout text, members text[], prompt text, answerers text[], signal text, seconds integer, until text, deadline integer, on_deadline text, default_answer jsonb, key text, answer_schema jsonb, reminders integer[], timeout_ms integer) IS 'Puts a step in the place of the one of its slug, or adds it where there is none';

CREATE FUNCTION pgflow.take_out_steps(flow_slug text, step_slug text, deps_slugs text[]) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  place integer;
  late text;
  behind jsonb;
begin
  if not pgflow.lock_flow(take_out_steps.flow_slug) then
    perform pgflow.refuse_unknown_flow(take_out_steps.flow_slug, 'steps_flow_slug_fkey');
  end if;
  perform pgflow.refuse_foreign_flow(take_out_steps.flow_slug);
  place := pgflow.step_index_of(take_out_steps.flow_slug, take_out_steps.step_slug);
  if place is null then
    return '[]';
  end if;

  select step.step_slug into late
  from pgflow.steps as step
  where step.flow_slug = take_out_steps.flow_slug
    and step.step_slug = any (deps_slugs)
    and step.step_index > place
  limit 1;
  if found then
    raise exception 'Step "%" of flow "%" cannot depend on "%", which was added after it; delete the step and add it again, or replace the whole flow.',
      take_out_steps.step_slug, take_out_steps.flow_slug, late
      using
        errcode = 'check_violation',
        constraint = 'steps_stand_behind_their_dependencies',
        detail = pgflow.problem_code('steps_stand_behind_their_dependencies');
  end if;

  select coalesce(jsonb_agg(given.definition order by given.position), '[]') into behind
  from jsonb_array_elements(pgflow.step_definitions(take_out_steps.flow_slug))
    with ordinality as given (definition, position)
  where pgflow.step_index_of(
    take_out_steps.flow_slug, given.definition ->> 'slug'
  ) > place;
  delete from pgflow.deps as dep
  using pgflow.steps as step
  where dep.flow_slug = take_out_steps.flow_slug
    and step.flow_slug = dep.flow_slug
    and step.step_slug = dep.step_slug
    and step.step_index >= place;
  delete from pgflow.steps as step
  where step.flow_slug = take_out_steps.flow_slug and step.step_index >= place;
  return behind;
end
$$;

COMMENT ON FUNCTION pgflow.take_out_steps(flow_slug text, step_slug text, deps_slugs text[]) IS 'Removes a step and all that stand behind it, and returns the definitions of these';

REVOKE ALL ON FUNCTION pgflow.set_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb, before text[], after text[], requires text[], check_schemas text, coerce boolean, on_timeout text, members text[], prompt text, answerers text[], signal text, seconds integer, until text, deadline integer, on_deadline text, default_answer jsonb, key text, answer_schema jsonb, reminders integer[], timeout_ms integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.take_out_steps(flow_slug text, step_slug text, deps_slugs text[]) FROM PUBLIC;
