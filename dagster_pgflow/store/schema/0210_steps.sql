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
  input_schema pgflow.json_within_limits,
  output_schema pgflow.json_within_limits,
  initial_tasks integer,
  run_if text,
  run_unless text,
  opt_max_delay integer,
  opt_jitter text,
  pool text,
  settings pgflow.json_within_limits not null default '{}',
  opt_timeout_ms integer,
  constraint steps_flow_slug_step_index_key unique (flow_slug, step_index),
  constraint steps_flow_slug_fkey foreign key (flow_slug)
    references pgflow.flows (flow_slug) on delete cascade,
  constraint steps_step_slug_check check (pgflow.is_valid_slug(step_slug)),
  constraint steps_step_type_check check (
    step_type in (
      'single', 'map', 'subflow', 'branch', 'join', 'loop', 'approval', 'wait', 'sleep'
    )
  ),
  constraint steps_deps_count_check check (deps_count >= 0),
  constraint map_step_has_at_most_one_dependency check (step_type <> 'map' or deps_count <= 1),
  constraint opt_max_attempts_is_nonnegative check (opt_max_attempts >= 0),
  constraint opt_base_delay_is_nonnegative check (opt_base_delay >= 0),
  constraint opt_timeout_is_positive check (opt_timeout > 0),
  constraint opt_timeout_ms_is_positive check (opt_timeout_ms > 0),
  constraint a_timeout_is_said_once check (opt_timeout = opt_timeout_ms / 1000.0),
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
    check (pool is null or step_type not in ('subflow', 'join', 'approval', 'wait', 'sleep')),
  constraint pool_is_valid check (pool is null or pgflow.is_valid_slug(pool)),
  constraint params_are_an_object check (jsonb_typeof(params) = 'object'),
  constraint only_subflow_steps_name_a_subflow
    check (step_type = 'subflow' or subflow_slug is null),
  constraint subflow_steps_name_a_subflow
    check (step_type <> 'subflow' or subflow_slug is not null),
  constraint subflow_slug_is_valid check (subflow_slug is null or pgflow.is_valid_slug(subflow_slug)),
  constraint subflow_step_has_no_handler
    check (step_type <> 'subflow' or (handler is null and params = '{}')),
  constraint subflow_step_has_no_schemas
    check (step_type <> 'subflow' or (input_schema is null and output_schema is null)),
  constraint batch_size_is_positive check ((settings ->> 'batch_size')::integer > 0),
  constraint initial_tasks_is_nonnegative check (initial_tasks >= 0),
  constraint input_schema_is_object check (jsonb_typeof(input_schema) = 'object'),
  constraint output_schema_is_object check (jsonb_typeof(output_schema) = 'object'),
  constraint run_if_is_not_empty check (run_if <> ''),
  constraint run_unless_is_not_empty check (run_unless <> ''),
  constraint max_failures_is_nonnegative check ((settings ->> 'max_failures')::integer >= 0),
  constraint max_failures_percent_is_in_range
    check ((settings ->> 'max_failures_percent')::integer between 0 and 100),
  constraint pipelined_step_takes_over_batches
    check (not settings ? 'pipelined' or not settings ? 'batch_size'),
  constraint pipelined_step_has_no_condition check (
    not settings ? 'pipelined'
    or num_nonnulls(required_input_pattern, forbidden_input_pattern, run_if, run_unless) = 0
  ),
  constraint data_map_is_of_no_list check (
    not settings ? 'over' or not settings ?| array['merge_input', 'keep_input']
  ),
  constraint hooks_have_names
    check (not settings -> 'before' ? '' and not settings -> 'after' ? ''),
  constraint hooks_are_no_node_types check (
    not jsonb_path_exists(settings, '$.before[*] ? (@ starts with "pgflow.")')
    and not jsonb_path_exists(settings, '$.after[*] ? (@ starts with "pgflow.")')
  ),
  constraint hooks_go_with_a_handler check (
    handler is not null
    or step_type not in ('branch', 'loop')
    or not settings ?| array['before', 'after']
  ),
  constraint assets_have_keys check (
    pgflow.are_asset_keys(settings -> 'produces') and pgflow.are_asset_keys(settings -> 'consumes')
  ),
  constraint partition_can_be_one check (pgflow.can_be_partition(settings ->> 'partition')),
  constraint resources_have_names check (not settings -> 'requires' ? ''),
  constraint check_schemas_is_valid
    check (settings ->> 'check_schemas' in ('off', 'warn', 'strict')),
  constraint mode_is_valid check (settings ->> 'mode' in ('inline', 'run')),
  constraint only_branch_steps_have_rules check (step_type <> 'branch' or settings ? 'rules'),
  constraint rules_are_a_list check (settings -> 'rules' <> '[]'),
  constraint wait_is_valid
    check (settings ->> 'wait' in ('all', 'any') or jsonb_typeof(settings -> 'wait') = 'number'),
  constraint wait_is_positive
    check (jsonb_typeof(settings -> 'wait') <> 'number' or settings -> 'wait' > '0'),
  constraint join_step_has_no_handler
    check (step_type <> 'join' or (handler is null and params = '{}')),
  constraint join_step_has_no_schemas
    check (step_type <> 'join' or (input_schema is null and output_schema is null)),
  constraint only_loop_steps_go_back
    check (step_type <> 'loop' or settings ?& array['back_to', 'condition', 'max_iterations']),
  constraint condition_is_not_empty check (settings ->> 'condition' <> ''),
  constraint max_iterations_is_in_range
    check ((settings ->> 'max_iterations')::integer between 1 and 1000),
  constraint loop_step_has_no_condition check (
    step_type <> 'loop'
    or num_nonnulls(required_input_pattern, forbidden_input_pattern, run_if, run_unless) = 0
  ),
  constraint loop_step_is_never_skipped
    check (step_type <> 'loop' or when_exhausted not in ('skip', 'skip-cascade')),
  constraint failure_step_is_another_step check (
    settings ->> 'on_failure' <> step_slug and settings ->> 'on_timeout' <> step_slug
  ),
  constraint members_have_a_failure_step
    check (not settings ? 'members' or settings ? 'on_failure'),
  constraint waiting_step_has_no_handler check (
    step_type not in ('approval', 'wait', 'sleep')
    or (handler is null and params = '{}' and input_schema is null and output_schema is null)
  ),
  constraint only_approval_steps_ask check (step_type <> 'approval' or settings ? 'prompt'),
  constraint only_wait_steps_have_a_signal check (step_type <> 'wait' or settings ? 'signal'),
  constraint prompt_is_short check (length(settings ->> 'prompt') between 1 and 10000),
  constraint signal_is_a_name check (length(settings ->> 'signal') between 1 and 200),
  constraint answerers_have_names check (
    jsonb_array_length(settings -> 'answerers') <= 100
    and not jsonb_path_exists(
      settings, '$.answerers[*] ? (!(@ like_regex "^.{1,200}$" flag "s"))'
    )
  ),
  constraint key_is_not_empty check (settings ->> 'key' <> ''),
  constraint until_is_not_empty check (settings ->> 'until' <> ''),
  constraint sleep_ends_once
    check (step_type <> 'sleep' or (settings ? 'seconds') <> (settings ? 'until')),
  constraint seconds_are_positive check ((settings ->> 'seconds')::integer > 0),
  constraint deadline_is_positive check ((settings ->> 'deadline')::integer > 0),
  constraint on_deadline_is_valid
    check (settings ->> 'on_deadline' in ('fail', 'skip', 'continue')),
  constraint deadline_is_said check (
    step_type not in ('approval', 'wait')
    or settings ? 'deadline'
    or not settings ?| array['on_deadline', 'default_answer', 'on_timeout']
  ),
  constraint default_answer_goes_on check (
    not settings ? 'default_answer'
    or (settings ->> 'on_deadline' is not null and settings ->> 'on_deadline' = 'continue')
  ),
  constraint timeout_step_is_of_a_failure check (
    step_type not in ('approval', 'wait')
    or not settings ? 'on_timeout'
    or not settings ? 'on_deadline'
  ),
  constraint reminders_come_before_the_deadline check (
    jsonb_array_length(settings -> 'reminders') <= 100
    and not jsonb_path_exists(settings, '$.reminders[*] ? (@ < 1 || @ >= $.deadline)')
  )
);

create index steps_by_failure_step on pgflow.steps (flow_slug, (settings ->> 'on_failure'))
  where settings ->> 'on_failure' is not null;

create index steps_by_timeout_step on pgflow.steps (flow_slug, (settings ->> 'on_timeout'))
  where settings ->> 'on_timeout' is not null;

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
comment on column pgflow.steps.pool is
  'The pool whose slots the ops of the step share with all runs: pgflow/<pool> in Dagster';
comment on column pgflow.steps.settings is
  'What else steps of this kind have, by name, without what is as by default; settings_of lists it';
