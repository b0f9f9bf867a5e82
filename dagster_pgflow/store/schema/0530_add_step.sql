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
  pool text default null,
  merge_input boolean default false,
  keep_input boolean default false,
  circuit_breaker jsonb default null,
  bulkhead jsonb default null,
  rate_limiter jsonb default null,
  before text[] default '{}',
  after text[] default '{}',
  requires text[] default '{}',
  check_schemas text default 'off',
  coerce boolean default false,
  on_timeout text default null,
  members text[] default '{}',
  prompt text default null,
  answerers text[] default '{}',
  signal text default null,
  seconds integer default null,
  until text default null,
  deadline integer default null,
  on_deadline text default 'fail',
  default_answer jsonb default null,
  key text default null,
  answer_schema jsonb default null,
  reminders integer[] default '{}',
  timeout_ms integer default null,
  produces text[] default '{}',
  consumes text[] default '{}',
  partition text default null
) returns pgflow.steps
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
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
$$;

comment on function pgflow.add_step is
  'Adds a step behind the steps that it depends on, or returns the equal step that exists';
