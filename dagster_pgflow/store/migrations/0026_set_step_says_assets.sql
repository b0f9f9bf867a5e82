-- old code: works

set local check_function_bodies to off;

drop function pgflow.set_step(text, text, text[], integer, integer, integer, integer, text, jsonb, jsonb, text, text, text, jsonb, text, text, integer, jsonb, jsonb, integer, text, text, integer, text, boolean, boolean, jsonb, jsonb, text, text, text, jsonb, text[], text, text, text, integer, text[], text[], integer, integer, text, boolean, boolean, jsonb, jsonb, jsonb, text[], text[], text[], text, boolean, text, text[], text, text[], text, integer, text, integer, text, jsonb, text, jsonb, integer[], integer);

CREATE FUNCTION pgflow.set_step(flow_slug text, step_slug text, deps_slugs text[] DEFAULT '{}'::text[], max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer, start_delay integer DEFAULT NULL::integer, step_type text DEFAULT 'single'::text, required_input_pattern jsonb DEFAULT NULL::jsonb, forbidden_input_pattern jsonb DEFAULT NULL::jsonb, when_unmet text DEFAULT 'skip'::text, when_exhausted text DEFAULT 'fail'::text, handler text DEFAULT NULL::text, params jsonb DEFAULT '{}'::jsonb, description text DEFAULT ''::text, subflow_slug text DEFAULT NULL::text, batch_size integer DEFAULT NULL::integer, input_schema jsonb DEFAULT NULL::jsonb, output_schema jsonb DEFAULT NULL::jsonb, initial_tasks integer DEFAULT NULL::integer, run_if text DEFAULT NULL::text, run_unless text DEFAULT NULL::text, max_delay integer DEFAULT NULL::integer, jitter text DEFAULT NULL::text, collect_errors boolean DEFAULT false, pipelined boolean DEFAULT false, subflow_input jsonb DEFAULT NULL::jsonb, subflow_output jsonb DEFAULT NULL::jsonb, on_failure text DEFAULT NULL::text, over text DEFAULT NULL::text, mode text DEFAULT 'inline'::text, rules jsonb DEFAULT NULL::jsonb, default_path text[] DEFAULT '{}'::text[], wait text DEFAULT 'all'::text, back_to text DEFAULT NULL::text, condition text DEFAULT NULL::text, max_iterations integer DEFAULT NULL::integer, break_path text[] DEFAULT '{}'::text[], timeout_path text[] DEFAULT '{}'::text[], max_failures integer DEFAULT NULL::integer, max_failures_percent integer DEFAULT NULL::integer, pool text DEFAULT NULL::text, merge_input boolean DEFAULT false, keep_input boolean DEFAULT false, circuit_breaker jsonb DEFAULT NULL::jsonb, bulkhead jsonb DEFAULT NULL::jsonb, rate_limiter jsonb DEFAULT NULL::jsonb, before text[] DEFAULT '{}'::text[], after text[] DEFAULT '{}'::text[], requires text[] DEFAULT '{}'::text[], check_schemas text DEFAULT 'off'::text, coerce boolean DEFAULT false, on_timeout text DEFAULT NULL::text, members text[] DEFAULT '{}'::text[], prompt text DEFAULT NULL::text, answerers text[] DEFAULT '{}'::text[], signal text DEFAULT NULL::text, seconds integer DEFAULT NULL::integer, until text DEFAULT NULL::text, deadline integer DEFAULT NULL::integer, on_deadline text DEFAULT 'fail'::text, default_answer jsonb DEFAULT NULL::jsonb, key text DEFAULT NULL::text, answer_schema jsonb DEFAULT NULL::jsonb, reminders integer[] DEFAULT '{}'::integer[], timeout_ms integer DEFAULT NULL::integer, produces text[] DEFAULT '{}'::text[], consumes text[] DEFAULT '{}'::text[], partition text DEFAULT NULL::text) RETURNS pgflow.steps
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
    timeout_ms => set_step.timeout_ms,
    produces => set_step.produces,
    consumes => set_step.consumes,
    partition => set_step.partition
  );
  -- Each is looked at as it was when it was added: it may not go with the new one.
  perform pgflow.define_step(set_step.flow_slug, other.definition)
  from jsonb_array_elements(behind) with ordinality as other (definition, position)
  order by other.position;
  return stored;
end
$$;

COMMENT ON FUNCTION pgflow.set_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb, before text[], after text[], requires text[], check_schemas text, coerce boolean, on_timeout text, members text[], prompt text, answerers text[], signal text, seconds integer, until text, deadline integer, on_deadline text, default_answer jsonb, key text, answer_schema jsonb, reminders integer[], timeout_ms integer, produces text[], consumes text[], partition text) IS 'Puts a step in the place of the one of its slug, or adds it where there is none';

REVOKE ALL ON FUNCTION pgflow.set_step(flow_slug text, step_slug text, deps_slugs text[], max_attempts integer, base_delay integer, timeout integer, start_delay integer, step_type text, required_input_pattern jsonb, forbidden_input_pattern jsonb, when_unmet text, when_exhausted text, handler text, params jsonb, description text, subflow_slug text, batch_size integer, input_schema jsonb, output_schema jsonb, initial_tasks integer, run_if text, run_unless text, max_delay integer, jitter text, collect_errors boolean, pipelined boolean, subflow_input jsonb, subflow_output jsonb, on_failure text, over text, mode text, rules jsonb, default_path text[], wait text, back_to text, condition text, max_iterations integer, break_path text[], timeout_path text[], max_failures integer, max_failures_percent integer, pool text, merge_input boolean, keep_input boolean, circuit_breaker jsonb, bulkhead jsonb, rate_limiter jsonb, before text[], after text[], requires text[], check_schemas text, coerce boolean, on_timeout text, members text[], prompt text, answerers text[], signal text, seconds integer, until text, deadline integer, on_deadline text, default_answer jsonb, key text, answer_schema jsonb, reminders integer[], timeout_ms integer, produces text[], consumes text[], partition text) FROM PUBLIC;
