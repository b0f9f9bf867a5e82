create table pgflow.steps (
  flow_slug text not null,
  step_slug text not null,
  step_type text not null default 'single',
  step_index integer not null,
  deps_count integer not null default 0,
  opt_max_attempts integer,
  opt_base_delay integer,
  opt_timeout integer,
  opt_start_delay integer,
  required_input_pattern pgflow.json_within_limits,
  forbidden_input_pattern pgflow.json_within_limits,
  when_unmet text not null default 'skip',
  when_exhausted text not null default 'fail',
  created_at timestamptz not null default now(),
  handler text,
  params pgflow.json_within_limits not null default '{}',
  description text not null default '',
  subflow_slug text,
  batch_size integer,
  input_schema pgflow.json_within_limits,
  output_schema pgflow.json_within_limits,
  initial_tasks integer,
  run_if text,
  run_unless text,
  opt_max_delay integer,
  opt_jitter text,
  collect_errors boolean not null default false,
  pipelined boolean not null default false,
  subflow_input pgflow.json_within_limits,
  subflow_output pgflow.json_within_limits,
  on_failure text,
  over text,
  mode text not null default 'inline',
  rules pgflow.json_within_limits,
  default_path text[] not null default '{}',
  wait text not null default 'all',
  back_to text,
  condition text,
  max_iterations integer,
  break_path text[] not null default '{}',
  timeout_path text[] not null default '{}',
  max_failures integer,
  max_failures_percent integer,
  pool text,
  constraint steps_flow_slug_step_index_key unique (flow_slug, step_index),
  constraint steps_flow_slug_fkey foreign key (flow_slug)
    references pgflow.flows (flow_slug) on delete cascade,
  constraint steps_step_slug_check check (pgflow.is_valid_slug(step_slug)),
  constraint steps_step_type_check check (
    step_type in ('single', 'map', 'subflow', 'branch', 'join', 'loop')
  ),
  constraint steps_deps_count_check check (deps_count >= 0),
  constraint map_step_has_at_most_one_dependency check (step_type <> 'map' or deps_count <= 1),
  constraint opt_max_attempts_is_nonnegative check (opt_max_attempts >= 0),
  constraint opt_base_delay_is_nonnegative check (opt_base_delay >= 0),
  constraint opt_timeout_is_positive check (opt_timeout > 0),
  constraint opt_start_delay_is_nonnegative check (opt_start_delay >= 0),
  constraint opt_max_delay_is_nonnegative check (opt_max_delay >= 0),
  constraint jitter_is_valid check (opt_jitter in ('none', 'full', 'plus-minus')),
  constraint required_input_pattern_is_object
    check (jsonb_typeof(required_input_pattern) = 'object'),
  constraint forbidden_input_pattern_is_object
    check (jsonb_typeof(forbidden_input_pattern) = 'object'),
  constraint when_unmet_is_valid check (when_unmet in ('fail', 'skip', 'skip-cascade')),
  constraint when_exhausted_is_valid check (when_exhausted in ('fail', 'skip', 'skip-cascade')),
  constraint handler_is_a_name check (handler <> ''),
  constraint only_steps_with_handlers_have_a_pool
    check (pool is null or step_type not in ('subflow', 'join')),
  constraint pool_is_valid check (pool is null or pgflow.is_valid_slug(pool)),
  constraint params_are_an_object check (jsonb_typeof(params) = 'object'),
  constraint only_subflow_steps_name_a_subflow
    check ((step_type = 'subflow') = (subflow_slug is not null)),
  constraint subflow_slug_is_valid check (subflow_slug is null or pgflow.is_valid_slug(subflow_slug)),
  constraint subflow_step_has_no_handler
    check (step_type <> 'subflow' or (handler is null and params = '{}')),
  constraint subflow_step_has_no_schemas
    check (step_type <> 'subflow' or (input_schema is null and output_schema is null)),
  constraint only_map_steps_have_batches check (batch_size is null or step_type = 'map'),
  constraint batch_size_is_positive check (batch_size > 0),
  constraint initial_tasks_is_nonnegative check (initial_tasks >= 0),
  constraint input_schema_is_object check (jsonb_typeof(input_schema) = 'object'),
  constraint output_schema_is_object check (jsonb_typeof(output_schema) = 'object'),
  constraint run_if_is_not_empty check (run_if <> ''),
  constraint run_unless_is_not_empty check (run_unless <> ''),
  constraint only_map_steps_collect_errors check (not collect_errors or step_type = 'map'),
  constraint only_map_steps_bound_failures
    check (step_type = 'map' or num_nonnulls(max_failures, max_failures_percent) = 0),
  constraint max_failures_is_nonnegative check (max_failures >= 0),
  constraint max_failures_percent_is_in_range check (max_failures_percent between 0 and 100),
  constraint only_map_steps_are_pipelined check (not pipelined or step_type = 'map'),
  constraint pipelined_step_takes_over_batches check (not pipelined or batch_size is null),
  constraint pipelined_step_has_no_condition check (
    not pipelined
    or num_nonnulls(required_input_pattern, forbidden_input_pattern, run_if, run_unless) = 0
  ),
  constraint only_subflow_steps_map_values
    check (step_type = 'subflow' or num_nonnulls(subflow_input, subflow_output) = 0),
  constraint subflow_input_is_object check (jsonb_typeof(subflow_input) = 'object'),
  constraint subflow_output_is_object_or_text
    check (jsonb_typeof(subflow_output) in ('object', 'string')),
  constraint only_subflow_steps_go_on_after_failure
    check (step_type = 'subflow' or on_failure is null),
  constraint only_subflow_steps_run_over_a_list check (step_type = 'subflow' or over is null),
  constraint mode_is_valid check (mode in ('inline', 'run')),
  constraint only_subflow_steps_have_a_mode check (step_type = 'subflow' or mode = 'inline'),
  constraint only_branch_steps_have_rules check ((step_type = 'branch') = (rules is not null)),
  constraint rules_are_a_list check (jsonb_typeof(rules) = 'array' and rules <> '[]'),
  constraint only_branch_steps_have_a_default_path
    check (step_type = 'branch' or default_path = '{}'),
  constraint only_join_steps_wait_for_fewer check (step_type = 'join' or wait = 'all'),
  constraint wait_is_valid check (wait in ('all', 'any') or wait ~ '^[1-9][0-9]{0,8}$'),
  constraint join_step_has_no_handler
    check (step_type <> 'join' or (handler is null and params = '{}')),
  constraint join_step_has_no_schemas
    check (step_type <> 'join' or (input_schema is null and output_schema is null)),
  constraint only_loop_steps_go_back check (
    num_nonnulls(back_to, condition, max_iterations) = case step_type when 'loop' then 3 else 0 end
  ),
  constraint only_loop_steps_lead_out_of_a_loop
    check (step_type = 'loop' or (break_path = '{}' and timeout_path = '{}')),
  constraint condition_is_not_empty check (condition <> ''),
  constraint max_iterations_is_in_range check (max_iterations between 1 and 1000),
  constraint loop_step_has_no_condition check (
    step_type <> 'loop'
    or num_nonnulls(required_input_pattern, forbidden_input_pattern, run_if, run_unless) = 0
  ),
  constraint loop_step_is_never_skipped check (step_type <> 'loop' or when_exhausted = 'fail'),
  constraint paths_name_steps
    check (array_position(default_path || break_path || timeout_path, null) is null),
  constraint failure_step_is_another_step check (on_failure <> step_slug),
  constraint failure_step_belongs_to_one_subflow unique (flow_slug, on_failure)
);

create index steps_that_decide on pgflow.steps (flow_slug) where step_type in ('branch', 'loop');

-- Made after the other indexes: where the planner knows nothing of the table yet, it takes the
-- newest of those that begin with flow_slug, and functions keep such a plan for a whole session.
alter table pgflow.steps add constraint steps_pkey primary key (flow_slug, step_slug);

create index steps_by_subflow on pgflow.steps (subflow_slug) where subflow_slug is not null;

comment on table pgflow.steps is 'The steps of each flow; an option that is null is taken from the flow';
comment on column pgflow.steps.step_index is
  'The order of definition; a step depends only on steps with a smaller index';
comment on column pgflow.steps.handler is
  'The registered name of the handler; when null "<flow>.<step>", else "<step>"';
comment on column pgflow.steps.initial_tasks is
  'How many tasks the author expects of a map step; the list that arrives decides';
comment on column pgflow.steps.run_if is 'A condition in CEL that must hold';
comment on column pgflow.steps.run_unless is 'A condition in CEL that must not hold';
comment on column pgflow.steps.collect_errors is
  'Whether an element of a map step that fails for good leaves an error in its place';
comment on column pgflow.steps.max_failures is
  'How many elements of a map step may fail and leave errors in their places';
comment on column pgflow.steps.max_failures_percent is
  'The same in percent of the elements; where both are given, both hold';
comment on column pgflow.steps.pool is
  'The pool whose slots the ops of the step share with all runs: pgflow/<pool> in Dagster';
comment on column pgflow.steps.pipelined is
  'Whether an element starts as soon as the map step before has done its own';
comment on column pgflow.steps.subflow_input is
  'What the flow of a subflow step receives: JSON with references such as $nodes.cart.total, $input.name';
comment on column pgflow.steps.subflow_output is
  'What a subflow step returns: JSON with references to the final steps of its flow';
comment on column pgflow.steps.on_failure is
  'The step that goes on when the flow of a subflow step fails';
comment on column pgflow.steps.over is
  'The list that the flow of a subflow step runs over, once for each item: a dependency or a reference';
comment on column pgflow.steps.mode is
  'Whether the flow of a subflow step runs inside the run of its parent, or as a Dagster run of its own';
comment on column pgflow.steps.rules is
  'What a branch decides by: [{"when": a condition in CEL, "then": the steps that it leads to}]';
comment on column pgflow.steps.default_path is
  'The steps that a branch leads to when no rule holds';
comment on column pgflow.steps.wait is
  'How many dependencies a join waits for: all, any, or a number';
comment on column pgflow.steps.back_to is
  'The first of the steps that a loop repeats; the loop itself is the last';
comment on column pgflow.steps.condition is
  'A condition in CEL; while it holds, a loop repeats its steps';
comment on column pgflow.steps.max_iterations is 'How often a loop runs its steps at most';
comment on column pgflow.steps.break_path is
  'The steps that a loop leads to once its condition does not hold';
comment on column pgflow.steps.timeout_path is
  'The steps that a loop leads to when its condition still holds after the last pass';
