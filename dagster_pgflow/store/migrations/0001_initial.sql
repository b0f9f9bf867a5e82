-- 0010_schema.sql
-- A database role may own this schema without the right to create schemas, hence the test.
do $$
begin
  if to_regnamespace('pgflow') is null then
    create schema pgflow;
  end if;
end
$$;

comment on schema pgflow is 'Flows that Dagster runs: definitions, versions, requests and runs';

-- 0020_migrations.sql
create table pgflow.migrations (
  version integer not null,
  name text not null,
  applied_at timestamptz not null default now(),
  checksum text not null,
  old_code_works boolean not null,
  constraint migrations_pkey primary key (version)
);

comment on table pgflow.migrations is 'Which migrations of dagster_pgflow this database has';
comment on column pgflow.migrations.checksum is 'The SHA-256 of the SQL that was run';
comment on column pgflow.migrations.old_code_works is
  'Whether code that does not know this migration works with the database';

-- 0030_store.sql
-- One row: what tells two pgflow databases apart that one Dagster instance uses.
create table pgflow.store (
  store_id uuid not null default gen_random_uuid(),
  created_at timestamptz not null default now(),
  is_the_only_row boolean not null default true,
  allowed_tags text[] not null default '{}',
  constraint store_pkey primary key (is_the_only_row),
  constraint store_has_one_row check (is_the_only_row)
);

comment on table pgflow.store is 'The identity of this store, which is a tag of every run that it starts';
comment on column pgflow.store.allowed_tags is
  'Keys of tags, with * for any text, that flows may have although they contain a "/"; the code location writes them here when it loads';

insert into pgflow.store default values;

-- 0031_keep_one_row.sql
-- A schema that was just made has the row already that a dump of another one's data brings along.
create function pgflow.keep_one_row() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  there text;
begin
  if tg_table_name = 'store' then
    update pgflow.store
    set store_id = new.store_id,
      created_at = new.created_at,
      allowed_tags = new.allowed_tags;
  else
    select migration.checksum into there
    from pgflow.migrations as migration
    where migration.version = new.version;
    if there <> new.checksum then
      raise exception 'Migration % (%) of this data was another one than that of this schema; restore it into a schema that the same version of dagster_pgflow made.',
        new.version, new.name
        using errcode = 'object_not_in_prerequisite_state';
    end if;
  end if;
  return case when found then null else new end;
end
$$;

create trigger a_dump_brings_its_identity before insert on pgflow.store
for each row execute function pgflow.keep_one_row();

create trigger a_dump_brings_nothing_new before insert on pgflow.migrations
for each row execute function pgflow.keep_one_row();

-- 0032_tenants.sql
create table pgflow.tenants (
  role_name text not null,
  tenant text not null,
  constraint tenants_pkey primary key (role_name, tenant)
);

comment on table pgflow.tenants is
  'Which tenants a role sees, once isolate_tenants() was called: those of flows with this tag "tenant"; * is every flow';

-- 0100_is_valid_slug.sql
-- The same rule as dagster_pgflow.names.is_valid_slug; a test compares the two.
create function pgflow.is_valid_slug(slug text) returns boolean
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select slug is not null
    and slug <> 'run'
    and slug collate "C" ~ '^[a-zA-Z_][a-zA-Z0-9_]{0,127}$'
$$;

comment on function pgflow.is_valid_slug(text) is
  'Whether a text can name a flow, a step or a schedule: 1 to 128 letters, digits and underscores, no digit first, not "run"';

-- 0101_problem_codes.sql
-- The one list of what a broken constraint of a definition means, in the words of the rules. It
-- also has the constraints that exist only in what our functions raise.
create function pgflow.problem_codes() returns table (constraint_name text, code text)
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
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

comment on function pgflow.problem_codes() is
  'Which problem of a definition each constraint speaks of: the codes that errors have as their detail';

-- 0102_problem_code.sql
create function pgflow.problem_code(constraint_name text) returns text
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select known.code
  from pgflow.problem_codes() as known
  where known.constraint_name = problem_code.constraint_name
$$;

comment on function pgflow.problem_code(text) is
  'The code of the problem that a broken constraint speaks of; null for constraints of other tables';

-- 0103_refuse_step.sql
-- Our own refusals say the code of the problem as their detail. Those of constraints cannot.
create function pgflow.refuse_step(
  flow_slug text, step_slug text, broken_constraint text, problem text
) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
begin
  if problem is not null then
    raise exception 'Step "%" of flow "%" %.', step_slug, flow_slug, problem
      using
        errcode = 'check_violation',
        constraint = broken_constraint,
        detail = pgflow.problem_code(broken_constraint);
  end if;
end
$$;

comment on function pgflow.refuse_step(text, text, text, text) is
  'Raises when there is a problem with a step';

-- 0110_cron_comes_some_day.sql
-- Only speaks against days of months that are written as numbers: all else, Python looks at.
create function pgflow.cron_comes_some_day(cron text) returns boolean
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  with written (fields) as (
    select regexp_split_to_array(btrim(lower(cron_comes_some_day.cron)), '\s+')
  )
  select coalesce((
    select min(day.number::integer) <= max(
      (array[31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[coalesce(
        array_position(
          array['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
          month.name
        ),
        substring(month.name from '^\d+$')::integer
      )]
    )
    from written
    cross join lateral unnest(string_to_array(fields[3], ',')) as day (number)
    cross join lateral unnest(string_to_array(fields[4], ',')) as month (name)
    where fields[5] in ('*', '?')
      and fields[3] ~ '^\d{1,2}(,\d{1,2})*$'
      and fields[4] ~ '^(\d{1,2}|[a-z]{3})(,(\d{1,2}|[a-z]{3}))*$'
  ), true)
$$;

comment on function pgflow.cron_comes_some_day(text) is
  'False for days that no month has, such as the 31st of February; true where this is not certain';

-- 0110_json_problem.sql
-- Says what `json_values.limits` says in Python: what is within both, everybody can read.
create function pgflow.json_problem(value jsonb) returns text
language plpgsql
immutable
strict
parallel safe
set search_path to pg_catalog, pg_temp
as $$
declare
  longest bigint;
  is_too_large boolean;
begin
  if jsonb_path_exists(
    value, 'strict $.**{100} ? (@.type() == "array" || @.type() == "object")'
  ) then
    return 'it is nested more than 100 levels deep; make it flatter';
  elsif value::text !~ '[0-9]{150}[0-9]{150}' then
    return null;
  end if;

  -- A number is written without an exponent here, as everybody gets it who reads the value.
  select
    max(length(translate(number.written, '-.', ''))),
    bool_or(number.written like '%.%' and length(split_part(ltrim(number.written, '-'), '.', 1)) > 308)
    into longest, is_too_large
  from (
    select found.value::text
    from jsonb_path_query(value, 'strict $.** ? (@.type() == "number")') as found (value)
  ) as number (written);
  return case
    when longest > 1000
      then 'it has a number of more than 1,000 digits; write such a number as text'
    when is_too_large
      then 'it has a number with decimals that is 1e308 or more; write such a number as text'
  end;
end
$$;

comment on function pgflow.json_problem(jsonb) is
  'Which limit a JSON value exceeds, as the end of a sentence; null when it is within all';

-- 0111_refuse_beyond_limits.sql
create function pgflow.refuse_beyond_limits(value jsonb, meaning text) returns void
language plpgsql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
declare
  problem constant text := pgflow.json_problem(value);
begin
  if problem is not null then
    raise exception '% is refused: %.', meaning, problem
      using
        errcode = 'invalid_parameter_value',
        constraint = 'json_is_within_limits',
        detail = pgflow.problem_code('json_is_within_limits');
  end if;
end
$$;

comment on function pgflow.refuse_beyond_limits(jsonb, text) is
  'Raises when a JSON value is nested too deeply or has a number of too many digits';

-- 0112_json_within_limits.sql
create domain pgflow.json_within_limits as jsonb
  constraint json_is_within_limits check (pgflow.json_problem(value) is null);

comment on domain pgflow.json_within_limits is
  'JSON from outside that whoever reads it can read, however it came into its table';

-- 0200_flows.sql
create table pgflow.flows (
  flow_slug text not null,
  opt_max_attempts integer not null default 3,
  opt_base_delay integer not null default 5,
  opt_timeout integer not null default 60,
  created_at timestamptz not null default now(),
  description text not null default '',
  input_schema pgflow.json_within_limits,
  output_schema pgflow.json_within_limits,
  tags pgflow.json_within_limits not null default '{}',
  opt_max_delay integer not null default 3600,
  opt_jitter text not null default 'none',
  constraint flows_pkey primary key (flow_slug),
  constraint slug_is_valid check (pgflow.is_valid_slug(flow_slug)),
  constraint opt_max_attempts_is_nonnegative check (opt_max_attempts >= 0),
  constraint opt_base_delay_is_nonnegative check (opt_base_delay >= 0),
  constraint opt_timeout_is_positive check (opt_timeout > 0),
  constraint opt_max_delay_is_nonnegative check (opt_max_delay >= 0),
  constraint jitter_is_valid check (opt_jitter in ('none', 'full', 'plus-minus')),
  constraint input_schema_is_object check (jsonb_typeof(input_schema) = 'object'),
  constraint output_schema_is_object check (jsonb_typeof(output_schema) = 'object'),
  constraint tags_are_an_object check (jsonb_typeof(tags) = 'object'),
  constraint tags_are_texts
    check (not jsonb_path_exists(tags, 'strict $.* ? (@.type() != "string")', '{}', true))
);

comment on table pgflow.flows is 'Flows as they stand now; flow_versions keeps how they were';
comment on column pgflow.flows.opt_base_delay is 'Seconds; try n + 1 waits base_delay * 2^n';
comment on column pgflow.flows.opt_max_delay is 'Seconds; no wait between two tries is longer';
comment on column pgflow.flows.opt_jitter is
  'What chance does to a wait: nothing, or it takes part of it (full), or up to twice (plus-minus)';
comment on column pgflow.flows.opt_timeout is 'Seconds that one attempt of a step may take';

-- 0205_settings_of.sql
-- The one list of what only one kind of step has. A key of an object here is a key of the step's
-- definition; "is" says what its value must be, and a value that equals "default" is left out.
create function pgflow.settings_of(step_type text) returns jsonb
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case step_type
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
      "mode": {"is": "text", "default": "inline"}
    }'
    when 'branch' then '{
      "rules": {"is": "a list"},
      "default_path": {"is": "a list of texts", "default": []}
    }'
    when 'join' then '{
      "wait": {"is": "text or a whole number", "default": "all"}
    }'
    when 'loop' then '{
      "back_to": {"is": "text"},
      "condition": {"is": "text"},
      "max_iterations": {"is": "a whole number"},
      "break_path": {"is": "a list of texts", "default": []},
      "timeout_path": {"is": "a list of texts", "default": []}
    }'
    when 'single' then '{}'
  end::jsonb
$$;

comment on function pgflow.settings_of(text) is
  'What only steps of a kind have: each setting by name, with what it is and its default; null for a kind that there is not';

-- 0206_settled.sql
-- A setting has one form, so that equal steps are equal rows: what is as by default is absent.
create function pgflow.settled(given jsonb, step_type text) returns jsonb
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case
    when jsonb_typeof(given) <> 'object' or given = '{}' then given
    else coalesce(
      (
        select jsonb_object_agg(setting.name, setting.value)
        from jsonb_each(given) as setting (name, value)
        where setting.value is distinct from known.settings #> array[setting.name, 'default']
      ),
      '{}'
    )
  end
  from (select pgflow.settings_of(step_type)) as known (settings)
$$;

comment on function pgflow.settled(jsonb, text) is
  'The settings of a step of a kind without those that are as by default';

-- 0207_is_setting.sql
create function pgflow.is_setting(value jsonb, wanted text) returns boolean
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case wanted
    when 'text' then jsonb_typeof(value) = 'string'
    when 'true or false' then jsonb_typeof(value) = 'boolean'
    when 'a list' then jsonb_typeof(value) = 'array'
    when 'a list of texts' then
      jsonb_typeof(value) = 'array'
      and not jsonb_path_exists(value, 'strict $[*] ? (@.type() != "string")')
    when 'an object' then jsonb_typeof(value) = 'object'
    when 'an object or text' then jsonb_typeof(value) in ('object', 'string')
    when 'a whole number' then
      jsonb_typeof(value) = 'number'
      and value::text ~ '^-?[0-9]{1,10}$'
      and value::text::bigint between -2147483648 and 2147483647
    when 'text or a whole number' then
      jsonb_typeof(value) = 'string' or pgflow.is_setting(value, 'a whole number')
    else false
  end
$$;

comment on function pgflow.is_setting(jsonb, text) is
  'Whether a value is what settings_of wants, in its words';

-- 0208_refuse_bad_settings.sql
create function pgflow.refuse_bad_settings(
  flow_slug text, step_slug text, step_type text, settings jsonb
) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
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
end
$$;

comment on function pgflow.refuse_bad_settings(text, text, text, jsonb) is
  'Raises when a step has a setting that its kind has not, or one of the wrong type';

-- 0210_steps.sql
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
  constraint failure_step_is_another_step check (settings ->> 'on_failure' <> step_slug)
);

create unique index failure_step_belongs_to_one_subflow
  on pgflow.steps (flow_slug, (settings ->> 'on_failure'))
  where settings ->> 'on_failure' is not null;

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
  'What only steps of this kind have, by name, without what is as by default; settings_of lists it';

-- 0220_deps.sql
create table pgflow.deps (
  flow_slug text not null,
  dep_slug text not null,
  step_slug text not null,
  created_at timestamptz not null default now(),
  dep_index integer not null,
  constraint deps_pkey primary key (flow_slug, dep_slug, step_slug),
  constraint deps_flow_slug_fkey foreign key (flow_slug)
    references pgflow.flows (flow_slug) on delete cascade,
  constraint deps_flow_slug_dep_slug_fkey foreign key (flow_slug, dep_slug)
    references pgflow.steps (flow_slug, step_slug),
  constraint deps_flow_slug_step_slug_fkey foreign key (flow_slug, step_slug)
    references pgflow.steps (flow_slug, step_slug) on delete cascade,
  constraint deps_check check (dep_slug <> step_slug)
);

create index idx_deps_by_flow_step on pgflow.deps (flow_slug, step_slug, dep_index);

comment on table pgflow.deps is 'Which step of a flow depends on which';
comment on column pgflow.deps.dep_index is 'The order in which the author listed the dependencies';

-- 0230_schedules.sql
create table pgflow.schedules (
  flow_slug text not null,
  schedule_slug text not null,
  cron text not null,
  timezone text not null default 'UTC',
  input pgflow.json_within_limits not null default '{}',
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  constraint schedules_pkey primary key (flow_slug, schedule_slug),
  constraint schedules_flow_slug_fkey foreign key (flow_slug)
    references pgflow.flows (flow_slug) on delete cascade,
  constraint schedule_slug_is_valid check (pgflow.is_valid_slug(schedule_slug)),
  constraint cron_has_five_fields check (cron ~ '^\s*\S+(\s+\S+){4}\s*$'),
  constraint cron_comes_some_day check (pgflow.cron_comes_some_day(cron)),
  constraint timezone_is_named check (timezone <> '')
);

comment on table pgflow.schedules is 'When flows start by themselves';
comment on column pgflow.schedules.cron is 'Five fields: minute, hour, day of month, month, weekday';
comment on column pgflow.schedules.timezone is 'An IANA time zone, such as Europe/Berlin';

-- 0240_flow_versions.sql
create table pgflow.flow_versions (
  version_id bigint not null generated always as identity,
  flow_slug text not null,
  version integer not null,
  definition jsonb,
  content_hash text,
  created_at timestamptz not null default clock_timestamp(),
  subflow_versions jsonb not null default '{}',
  constraint flow_versions_pkey primary key (version_id),
  constraint flow_versions_flow_slug_version_key unique (flow_slug, version),
  constraint a_definition_has_a_hash check ((definition is null) = (content_hash is null)),
  constraint slug_is_valid check (pgflow.is_valid_slug(flow_slug)),
  constraint definition_is_that_of_the_flow check (
    coalesce(definition ->> 'slug' = flow_slug, definition is null)
  ),
  constraint subflow_versions_are_versions check (
    jsonb_typeof(subflow_versions) = 'object'
    and not jsonb_path_exists(
      subflow_versions, 'strict $.* ? (@.type() != "number" || @ < 1 || @ > 2147483647)',
      '{}', true
    )
  )
);

create unique index flow_versions_by_flow on pgflow.flow_versions (flow_slug, version_id desc);

comment on table pgflow.flow_versions is
  'Every definition that a flow ever had, for ever; version_ids become visible in their order';
comment on column pgflow.flow_versions.version is 'Counts the versions of one flow from 1';
comment on column pgflow.flow_versions.definition is 'The flow as JSON; null says that it was deleted';
comment on column pgflow.flow_versions.subflow_versions is
  'The version of each flow that a step of this one runs, by slug';

-- 0250_unpublished_flows.sql
-- A row lives only inside the transaction that touched the flow: it is gone at commit.
create table pgflow.unpublished_flows (
  flow_slug text not null,
  constraint unpublished_flows_pkey primary key (flow_slug)
);

comment on table pgflow.unpublished_flows is
  'Flows that this transaction changed and whose version it has yet to publish';

-- 0300_runs.sql
create table pgflow.runs (
  id bigint not null generated always as identity,
  run_id uuid not null,
  dagster_run_id uuid,
  flow_slug text not null,
  flow_version integer,
  version_id bigint,
  status text not null default 'queued',
  input jsonb not null default '{}',
  output jsonb,
  error_message text,
  remaining_steps integer,
  retry_of uuid,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  failed_at timestamptz,
  updated_at timestamptz not null default now(),
  constraint runs_pkey primary key (id),
  constraint runs_run_id_key unique (run_id),
  constraint runs_dagster_run_id_key unique (dagster_run_id),
  constraint status_is_valid
    check (status in ('queued', 'started', 'completed', 'failed', 'cancelled')),
  constraint remaining_steps_is_nonnegative check (remaining_steps >= 0)
);

create index runs_by_flow on pgflow.runs (flow_slug, created_at);
create index runs_under_way on pgflow.runs (created_at) where status in ('queued', 'started');

comment on table pgflow.runs is 'One row a run of a flow, kept true from Dagster''s event log';
comment on column pgflow.runs.retry_of is 'The run_id of the run that this one re-executes';

-- 0310_subruns.sql
create table pgflow.subruns (
  subrun_id bigint not null generated always as identity,
  parent_run_id bigint not null,
  parent_subrun_id bigint,
  parent_step_slug text not null,
  subflow_slug text not null,
  run_index integer not null,
  subrun_index integer not null,
  subrun_path text not null,
  map_index integer,
  status text not null default 'created',
  input jsonb,
  output jsonb,
  error_message text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  updated_at timestamptz not null default now(),
  dagster_run_id uuid,
  constraint subruns_pkey primary key (subrun_id),
  constraint subruns_parent_run_id_subrun_path_key unique (parent_run_id, subrun_path),
  constraint subruns_parent_run_id_fkey foreign key (parent_run_id)
    references pgflow.runs (id) on delete cascade,
  constraint subruns_parent_subrun_id_fkey foreign key (parent_subrun_id)
    references pgflow.subruns (subrun_id) on delete cascade,
  constraint status_is_valid
    check (status in ('created', 'started', 'completed', 'failed', 'skipped', 'cancelled'))
);

create index subruns_by_parent_step on pgflow.subruns (parent_run_id, parent_step_slug);
create index subruns_by_parent_subrun on pgflow.subruns (parent_subrun_id);
create index subruns_by_flow on pgflow.subruns (subflow_slug, created_at);

comment on table pgflow.subruns is 'One row for each time that a run enters a subflow';
comment on column pgflow.subruns.run_index is 'Counts the subruns of one run from 1';
comment on column pgflow.subruns.subrun_index is 'Counts the subruns of one parent from 1';
comment on column pgflow.subruns.subrun_path is 'The subrun_index of every ancestor and its own, such as 1.3.2';
comment on column pgflow.subruns.map_index is
  'The index of the item, where the flow runs once for each item of a list';
comment on column pgflow.subruns.dagster_run_id is
  'The Dagster run that the subrun is, where it is one of its own';

-- 0320_step_states.sql
create table pgflow.step_states (
  run_id uuid not null,
  step_path text not null,
  step_slug text not null,
  flow_slug text not null,
  subrun_id bigint,
  step_type text not null default 'single',
  status text not null default 'created',
  skip_reason text,
  initial_tasks integer,
  remaining_tasks integer,
  remaining_deps integer not null default 0,
  output jsonb,
  error_message text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  failed_at timestamptz,
  skipped_at timestamptz,
  constraint step_states_pkey primary key (run_id, step_path),
  constraint step_states_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade,
  constraint step_states_subrun_id_fkey foreign key (subrun_id)
    references pgflow.subruns (subrun_id) on delete cascade,
  constraint status_is_valid
    check (status in ('created', 'started', 'completed', 'failed', 'skipped', 'cancelled')),
  constraint skip_reason_is_valid
    check (
      skip_reason in ('condition_unmet', 'not_taken', 'handler_failed', 'dependency_skipped')
    ),
  constraint initial_tasks_is_nonnegative check (initial_tasks >= 0),
  constraint remaining_tasks_is_nonnegative check (remaining_tasks >= 0),
  constraint remaining_deps_is_nonnegative check (remaining_deps >= 0)
);

create index step_states_by_subrun on pgflow.step_states (subrun_id) where subrun_id is not null;

comment on table pgflow.step_states is 'How far each step of a run is';
comment on column pgflow.step_states.step_path is
  'The slugs of the subflow steps around it and its own, such as payment.receipt';

-- 0330_step_tasks.sql
create table pgflow.step_tasks (
  run_id uuid not null,
  step_path text not null,
  task_index integer not null default 0,
  step_slug text not null,
  flow_slug text not null,
  subrun_id bigint,
  status text not null default 'queued',
  attempts_count integer not null default 0,
  error_message text,
  output jsonb,
  queued_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  failed_at timestamptz,
  last_worker_id text,
  constraint step_tasks_pkey primary key (run_id, step_path, task_index),
  constraint step_tasks_run_id_step_path_fkey foreign key (run_id, step_path)
    references pgflow.step_states (run_id, step_path) on delete cascade,
  constraint step_tasks_subrun_id_fkey foreign key (subrun_id)
    references pgflow.subruns (subrun_id) on delete cascade,
  constraint status_is_valid
    check (status in ('queued', 'started', 'completed', 'failed', 'skipped', 'cancelled')),
  constraint task_index_is_nonnegative check (task_index >= 0),
  constraint attempts_count_is_nonnegative check (attempts_count >= 0)
);

create index step_tasks_by_subrun on pgflow.step_tasks (subrun_id) where subrun_id is not null;

comment on table pgflow.step_tasks is 'One row a unit of work: a single step has one, a map step one an element';

-- 0335_node_executions.sql
create table pgflow.node_executions (
  run_id uuid not null,
  step_path text not null,
  task_index integer not null default 0,
  attempt integer not null,
  step_slug text not null,
  flow_slug text not null,
  subrun_id bigint,
  status text not null default 'started',
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  duration_ms bigint,
  worker_id text,
  error text,
  iteration integer,
  constraint node_executions_pkey primary key (run_id, step_path, task_index, attempt),
  constraint node_executions_run_id_step_path_task_index_fkey
    foreign key (run_id, step_path, task_index)
    references pgflow.step_tasks (run_id, step_path, task_index) on delete cascade,
  constraint node_executions_subrun_id_fkey foreign key (subrun_id)
    references pgflow.subruns (subrun_id) on delete cascade,
  constraint status_is_valid check (status in ('started', 'completed', 'failed', 'cancelled')),
  constraint attempts_count_from_one check (attempt > 0),
  constraint passes_count_from_one check (iteration > 0),
  constraint duration_is_nonnegative check (duration_ms >= 0),
  constraint an_attempt_that_is_over_has_an_end
    check ((status = 'started') = (completed_at is null)),
  constraint an_end_has_a_duration check ((completed_at is null) = (duration_ms is null)),
  constraint only_a_failed_attempt_has_an_error check (status = 'failed' or error is null)
);

create index node_executions_by_subrun
  on pgflow.node_executions (subrun_id) where subrun_id is not null;
create index node_executions_failed
  on pgflow.node_executions (completed_at) where status = 'failed';

comment on table pgflow.node_executions is 'One row an attempt of a task';
comment on column pgflow.node_executions.completed_at is
  'When the attempt ended, however it ended';
comment on column pgflow.node_executions.iteration is
  'The iteration of the innermost loop around the step, from 1; null outside of loops';

-- 0340_event_log.sql
create table pgflow.event_log (
  event_id uuid not null,
  run_id uuid not null,
  sequence_num integer not null,
  event_type text not null,
  timestamp timestamptz not null,
  event_data jsonb not null default '{}',
  parent_event_id uuid,
  correlation_id text,
  constraint event_log_pkey primary key (run_id, sequence_num),
  constraint event_log_event_id_key unique (event_id),
  constraint sequence_starts_at_one check (sequence_num > 0)
);

comment on table pgflow.event_log is
  'What happened in each run, in order and without gaps; the state tables are its fold';

-- 0341_applied_keys.sql
create table pgflow.applied_keys (
  run_id uuid not null,
  op_key text not null,
  delta integer not null,
  applied_at timestamptz not null,
  sequence_num integer not null,
  constraint applied_keys_pkey primary key (run_id, op_key),
  constraint applied_keys_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade,
  constraint a_change_is_not_zero check (delta <> 0)
);

comment on table pgflow.applied_keys is
  'One row for each change of a run''s token counter: the same change applied twice changes nothing';
comment on column pgflow.applied_keys.op_key is
  'What happened, on which edge or at which step, and in which attempt, such as emit:a>b#1';
comment on column pgflow.applied_keys.sequence_num is 'The event that the change belongs to';

-- 0342_run_counter_snapshots.sql
create table pgflow.run_counter_snapshots (
  run_id uuid not null,
  sequence_num integer not null,
  counter integer not null,
  taken_at timestamptz not null,
  constraint run_counter_snapshots_pkey primary key (run_id, sequence_num),
  constraint run_counter_snapshots_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade,
  constraint counter_is_nonnegative check (counter >= 0)
);

comment on table pgflow.run_counter_snapshots is
  'The token counter of each run as of every hundredth event, and as of the last one';
comment on column pgflow.run_counter_snapshots.taken_at is 'When that event happened';

-- 0343_pending_tokens.sql
create table pgflow.pending_tokens (
  run_id uuid not null,
  node text not null,
  from_node text not null,
  arrived_at timestamptz not null,
  constraint pending_tokens_pkey primary key (run_id, node, from_node),
  constraint pending_tokens_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade
);

comment on table pgflow.pending_tokens is
  'Tokens at steps with several dependencies that still wait for others; none when the run is over';

-- 0344_loop_state.sql
create table pgflow.loop_state (
  run_id uuid not null,
  loop_path text not null,
  current_iteration integer not null,
  max_iterations integer,
  status text not null,
  ended_by text,
  started_at timestamptz not null,
  completed_at timestamptz,
  constraint loop_state_pkey primary key (run_id, loop_path),
  constraint loop_state_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade,
  constraint status_is_valid check (status in ('started', 'completed', 'failed', 'cancelled')),
  constraint ended_by_is_valid check (ended_by in ('break', 'timeout', 'error')),
  constraint passes_count_from_one check (current_iteration > 0),
  constraint a_loop_that_is_over_has_an_end
    check ((status = 'started') = (completed_at is null))
);

comment on table pgflow.loop_state is 'How far each loop of a run is, and how it ended';
comment on column pgflow.loop_state.loop_path is 'The path of the loop step';

-- 0345_run_statistics.sql
create table pgflow.run_statistics (
  run_id uuid not null,
  tokens_emitted integer not null,
  tokens_consumed integer not null,
  nodes_executed integer not null,
  nodes_failed integer not null,
  nodes_skipped integer not null,
  retries integer not null,
  total_time_ms bigint,
  terminal_nodes integer not null,
  completion_checks integer not null,
  completion_checks_saved integer not null,
  steps_done_at timestamptz,
  constraint run_statistics_pkey primary key (run_id),
  constraint run_statistics_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade
);

comment on table pgflow.run_statistics is 'What each run took, and how much of everything it had';
comment on column pgflow.run_statistics.terminal_nodes is
  'Steps of the flow that nothing depends on: known before the run begins';
comment on column pgflow.run_statistics.completion_checks is
  'How often a terminal step ended, or a route broke off, so that it was asked whether all is done';
comment on column pgflow.run_statistics.completion_checks_saved is
  'How often another step ended, and it was not asked';
comment on column pgflow.run_statistics.steps_done_at is
  'When the last token arrived at the end of the run; Dagster ends it a little later';

-- 0346_worker_registry.sql
create table pgflow.worker_registry (
  run_id uuid not null,
  worker_id text not null,
  host text not null,
  pid bigint,
  first_seen timestamptz not null,
  last_heartbeat timestamptz not null,
  load integer not null,
  constraint worker_registry_pkey primary key (run_id, worker_id),
  constraint worker_registry_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade,
  constraint load_is_nonnegative check (load >= 0)
);

create index worker_registry_by_worker on pgflow.worker_registry (worker_id);
create index worker_registry_by_heartbeat on pgflow.worker_registry (last_heartbeat);

comment on table pgflow.worker_registry is
  'The processes that were seen executing tasks: one row for each run that a process worked for';
comment on column pgflow.worker_registry.last_heartbeat is
  'When something that it did was last heard of';
comment on column pgflow.worker_registry.load is 'How many tasks it has under way';

-- 0350_step_outputs.sql
create table pgflow.step_outputs (
  dagster_run_id uuid not null,
  step_key text not null,
  output_name text not null,
  mapping_key text not null default '',
  value json,
  location text,
  size_bytes bigint not null,
  created_at timestamptz not null default now(),
  constraint step_outputs_pkey primary key (dagster_run_id, step_key, output_name, mapping_key),
  constraint value_is_here_or_elsewhere check ((value is null) <> (location is null)),
  constraint size_bytes_is_nonnegative check (size_bytes >= 0)
);

comment on table pgflow.step_outputs is 'The values that steps hand to each other';
comment on column pgflow.step_outputs.value is
  'The value to the letter, hence json: jsonb would reorder keys and refuse \u0000';
comment on column pgflow.step_outputs.location is 'Where a value lies that is too large for a row';

-- 0360_run_requests.sql
create table pgflow.run_requests (
  run_id uuid not null,
  flow_slug text not null,
  version_id bigint not null,
  input pgflow.json_within_limits not null,
  asked_hash text,
  created_at timestamptz not null default now(),
  handed_over_at timestamptz,
  refused_at timestamptz,
  refused_reason text,
  constraint run_requests_pkey primary key (run_id),
  constraint a_refusal_has_a_reason check ((refused_at is null) = (refused_reason is null))
);

comment on table pgflow.run_requests is 'What start_flow was asked to start';
comment on column pgflow.run_requests.input is
  'What was asked for, laid over the defaults of the input schema';
comment on column pgflow.run_requests.asked_hash is
  'The hash of what was asked for, to know the same request again; null where no input was given';
comment on column pgflow.run_requests.handed_over_at is
  'When a sensor last gave it to Dagster; it counts as started only once Dagster has a run of it';
comment on column pgflow.run_requests.version_id is
  'The newest version among the flow and the flows that it contains: a catalog watermark';

-- 0370_projection_cursors.sql
create table pgflow.projection_cursors (
  name text not null,
  position jsonb not null,
  updated_at timestamptz not null default now(),
  constraint projection_cursors_pkey primary key (name)
);

comment on table pgflow.projection_cursors is 'How far each sensor has read, written with what it read';

-- 0380_run_cursors.sql
create table pgflow.run_cursors (
  dagster_run_id uuid not null,
  found_at timestamptz not null,
  position text,
  looks integer not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  end_seen_at timestamptz,
  is_final boolean not null default false,
  failures integer not null default 0,
  error_message text,
  checked_at timestamptz,
  constraint run_cursors_pkey primary key (dagster_run_id)
);

create index run_cursors_due on pgflow.run_cursors (due_at) where not is_final;
create index run_cursors_in_trouble on pgflow.run_cursors (due_at) where failures > 0;

comment on table pgflow.run_cursors is
  'Up to where each run of Dagster is in our tables, written with what was read';
comment on column pgflow.run_cursors.found_at is 'When Dagster last changed the run, by its clock';
comment on column pgflow.run_cursors.position is 'Where in Dagster''s event log the last look ended';
comment on column pgflow.run_cursors.looks is 'Counts what was written: a slower sensor sees that it is late';
comment on column pgflow.run_cursors.due_at is 'When to look at the run again';
comment on column pgflow.run_cursors.is_final is 'Whether the run was read once more after its end';
comment on column pgflow.run_cursors.error_message is 'Why the last look failed';
comment on column pgflow.run_cursors.checked_at is
  'When Dagster was last asked whether the run still lives';

-- 0400_json_field.sql
-- A building block of definitions, in which an absent value is an absent key.
create function pgflow.json_field(name text, value jsonb) returns jsonb
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case when value is null then '{}' else jsonb_build_object(name, value) end
$$;

-- 0401_texts_of.sql
-- A building block of definitions: a list of texts as an array, an empty one where there is none.
create function pgflow.texts_of(list jsonb) returns text[]
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(array_agg(part.text order by part.position), '{}')
  from jsonb_array_elements_text(nullif(list, 'null')) with ordinality as part (text, position)
$$;

-- 0402_without_nulls.sql
-- A building block of definitions: an object without its fields that are null, and with all that
-- lies within the others.
create function pgflow.without_nulls(object jsonb) returns jsonb
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(jsonb_object_agg(field.name, field.value), '{}')
  from jsonb_each(object) as field (name, value)
  where field.value <> 'null'
$$;

-- 0410_step_definitions.sql
create function pgflow.step_definitions(flow_slug text) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select jsonb_agg(
    jsonb_strip_nulls(jsonb_build_object(
      'type', step.step_type,
      'slug', step.step_slug,
      'description', nullif(step.description, ''),
      'depends_on', needed.slugs,
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
  left join lateral (
    select jsonb_agg(dep.dep_slug order by dep.dep_index, dep.dep_slug) as slugs
    from pgflow.deps as dep
    where dep.flow_slug = step.flow_slug and dep.step_slug = step.step_slug
  ) as needed on true
  where step.flow_slug = step_definitions.flow_slug
$$;

comment on function pgflow.step_definitions(text) is
  'The steps of a flow as JSON, in the order of definition; null when it has none';

-- 0411_schedule_definitions.sql
create function pgflow.schedule_definitions(flow_slug text) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select jsonb_agg(
    jsonb_strip_nulls(jsonb_build_object(
      'slug', schedule.schedule_slug,
      'cron', schedule.cron,
      'timezone', nullif(schedule.timezone, 'UTC'),
      'enabled', nullif(schedule.enabled, true)
    ))
    || pgflow.json_field('input', nullif(schedule.input, '{}'))
    order by schedule.schedule_slug collate "C"
  )
  from pgflow.schedules as schedule
  where schedule.flow_slug = schedule_definitions.flow_slug
$$;

comment on function pgflow.schedule_definitions(text) is
  'The schedules of a flow as JSON, by slug; null when it has none';

-- 0412_flow_definition.sql
create function pgflow.flow_definition(flow_slug text) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select
    jsonb_strip_nulls(jsonb_build_object(
      'slug', flow.flow_slug,
      'description', nullif(flow.description, ''),
      'options', nullif(jsonb_strip_nulls(jsonb_build_object(
        'max_attempts', nullif(flow.opt_max_attempts, 3),
        'base_delay', nullif(flow.opt_base_delay, 5),
        'timeout', nullif(flow.opt_timeout, 60),
        'max_delay', nullif(flow.opt_max_delay, 3600),
        'jitter', nullif(flow.opt_jitter, 'none')
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

comment on function pgflow.flow_definition(text) is
  'A flow as JSON, without what equals a default; null when there is no such flow';

-- 0413_describe_sessions.sql
create function pgflow.describe_sessions(pids integer[]) returns text
language sql
stable
security definer
set search_path to pg_catalog, pg_temp
as $$
  select string_agg(
    format(
      'process %s (%s, transaction open since %s)',
      session.pid,
      coalesce(nullif(session.application_name, ''), 'no application_name'),
      coalesce(to_char(session.xact_start, 'HH24:MI:SS'), 'it is not known when')
    ),
    ', ' order by session.pid
  )
  from pg_stat_activity as session
  where session.pid = any (describe_sessions.pids)
$$;

comment on function pgflow.describe_sessions(integer[]) is
  'Which sessions these are, for people: process, program, and since when their transaction is open';

-- 0414_lock_holders.sql
create function pgflow.lock_holders(flow_slug text default null) returns text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(pgflow.describe_sessions(array_agg(holder.pid)), 'it has just ended')
  from pg_locks as holder
  join pg_database as here on here.oid = holder.database and here.datname = current_database()
  where holder.granted
    and holder.pid <> pg_backend_pid()
    and case
      when lock_holders.flow_slug is null then
        holder.locktype = 'advisory'
        and (holder.classid::bigint << 32) | holder.objid::bigint
          = hashtextextended('pgflow.flow_versions', 0)
      -- PostgreSQL keeps no list of who has locked a row.
      else
        holder.relation in ('pgflow.flows'::regclass, 'pgflow.steps'::regclass)
        and holder.mode in ('RowShareLock', 'RowExclusiveLock')
    end
$$;

comment on function pgflow.lock_holders(text) is
  'Who keeps all others from publishing, or who may keep them from changing a flow';

-- 0415_gets_lock.sql
create function pgflow.gets_lock(flow_slug text, milliseconds integer) returns boolean
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  limit_before constant text := current_setting('lock_timeout');
begin
  perform set_config('lock_timeout', gets_lock.milliseconds::text, true);
  if gets_lock.flow_slug is null then
    perform pg_advisory_xact_lock(hashtextextended('pgflow.flow_versions', 0));
  else
    perform from pgflow.flows as flow
    where flow.flow_slug = gets_lock.flow_slug
    for no key update;
  end if;
  perform set_config('lock_timeout', limit_before, true);
  return true;
exception
  when lock_not_available then
    return false;
end
$$;

comment on function pgflow.gets_lock(text, integer) is
  'Waits for the lock of a flow, or that of publishing, at most so long; 0 is for ever';

-- 0416_wait_for_lock.sql
create function pgflow.wait_for_lock(flow_slug text default null) returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  -- PostgreSQL turns statement_timeout off before it publishes at commit.
  patience constant integer := (
    select min(setting::integer)
    from pg_settings
    where name in ('lock_timeout', 'statement_timeout') and setting <> '0'
  );
  what constant text := case
    when wait_for_lock.flow_slug is null then 'This definition cannot be published'
    else format('Flow "%s" cannot be changed', wait_for_lock.flow_slug)
  end;
begin
  if pgflow.gets_lock(flow_slug, least(coalesce(patience, 1000), 1000)) then
    return;
  end if;
  if patience > 1000 or patience is null then
    raise warning '% before another transaction has ended, and waits for it: %.',
      what, pgflow.lock_holders(flow_slug);
    if pgflow.gets_lock(flow_slug, coalesce(patience - 1000, 0)) then
      return;
    end if;
  end if;
  raise exception '% before another transaction has ended, and % ms (lock_timeout or statement_timeout) are over: %.',
    what, patience, pgflow.lock_holders(flow_slug)
    using errcode = 'lock_not_available';
end
$$;

comment on function pgflow.wait_for_lock(text) is
  'Waits for a lock until commit; after a second it says who has it';

-- 0417_lock_publishing.sql
create function pgflow.lock_publishing() returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  if not pg_try_advisory_xact_lock(hashtextextended('pgflow.flow_versions', 0)) then
    perform pgflow.wait_for_lock();
  end if;
end
$$;

comment on function pgflow.lock_publishing() is 'Keeps all others from publishing until commit';

-- 0418_lock_flow.sql
create function pgflow.lock_flow(flow_slug text) returns boolean
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  perform from pgflow.flows as flow
  where flow.flow_slug = lock_flow.flow_slug
  for no key update skip locked;
  if found then
    return true;
  end if;
  -- Most likely there is no such flow; where it is locked, this waits.
  perform pgflow.wait_for_lock(flow_slug);
  return exists (select from pgflow.flows as flow where flow.flow_slug = lock_flow.flow_slug);
end
$$;

comment on function pgflow.lock_flow(text) is
  'Keeps all others from changing a flow until commit; whether there is one';

-- 0420_refuse_subflow_cycle.sql
create function pgflow.refuse_subflow_cycle(flow_slug text) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  start constant text := refuse_subflow_cycle.flow_slug;
  frontier text[] := array[start];
  entered_from jsonb := '{}';
  found_here jsonb;
  here text;
  path text;
begin
  -- Layer by layer, each flow once: linear even where many flows share their subflows.
  while frontier <> '{}' and not entered_from ? start loop
    select coalesce(jsonb_object_agg(step.subflow_slug, step.flow_slug), '{}')
    into found_here
    from pgflow.steps as step
    where step.flow_slug = any (frontier)
      and step.subflow_slug is not null
      and not entered_from ? step.subflow_slug;
    entered_from := entered_from || found_here;
    frontier := array(select jsonb_object_keys(found_here));
  end loop;

  if entered_from ? start then
    path := start;
    here := entered_from ->> start;
    while here <> start loop
      path := here || ' -> ' || path;
      here := entered_from ->> here;
    end loop;
    raise exception 'Flow "%" contains itself: % -> %; remove one of these subflow steps.',
      start, start, path
      using
        errcode = 'check_violation',
        constraint = 'no_flow_contains_itself',
        detail = pgflow.problem_code('no_flow_contains_itself');
  end if;
end
$$;

comment on function pgflow.refuse_subflow_cycle(text) is
  'Raises, with the path, when a flow reaches itself through subflow steps';

-- 0424_content_hash.sql
create function pgflow.content_hash(definition jsonb) returns text
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(definition::text, 'UTF8')), 'hex')
$$;

comment on function pgflow.content_hash(jsonb) is
  'What two definitions have in common only when they are the same';

-- 0425_newest_version.sql
create function pgflow.newest_version(flow_slug text) returns pgflow.flow_versions
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select flow_version.*
  from pgflow.flow_versions as flow_version
  where flow_version.flow_slug = newest_version.flow_slug
  order by flow_version.version_id desc
  limit 1
$$;

comment on function pgflow.newest_version(text) is
  'The newest version of a flow, which may say that it was deleted; null when it never existed';

-- 0426_subflow_versions_of.sql
create function pgflow.subflow_versions_of(flow_slug text) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(jsonb_object_agg(inner_flow.slug, newest.version), '{}')
  from (
    select distinct step.subflow_slug as slug
    from pgflow.steps as step
    where step.flow_slug = subflow_versions_of.flow_slug and step.subflow_slug is not null
  ) as inner_flow
  cross join lateral pgflow.newest_version(inner_flow.slug) as newest
  where newest.definition is not null
$$;

comment on function pgflow.subflow_versions_of(text) is
  'The newest version of each flow that a step of this one runs, by slug';

-- 0427_flows_around.sql
create function pgflow.flows_around(flow_slugs text[]) returns text[]
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with recursive around (slug) as (
    select unnest(flow_slugs)
    union
    select step.flow_slug
    from around
    join pgflow.steps as step on step.subflow_slug = around.slug
  )
  select coalesce(array_agg(around.slug), '{}') from around
$$;

comment on function pgflow.flows_around(text[]) is
  'These flows and all that contain one of them';

-- 0428_publish_version.sql
create function pgflow.publish_version(flow_slug text) returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
<<this>>
declare
  definition constant jsonb := pgflow.flow_definition(publish_version.flow_slug);
  content_hash constant text := pgflow.content_hash(definition);
  subflow_versions constant jsonb := pgflow.subflow_versions_of(publish_version.flow_slug);
  newest constant pgflow.flow_versions := pgflow.newest_version(publish_version.flow_slug);
begin
  if newest.content_hash is distinct from this.content_hash
    or (definition is not null and newest.subflow_versions <> this.subflow_versions)
  then
    insert into pgflow.flow_versions (
      flow_slug, version, definition, content_hash, subflow_versions
    )
    values (
      publish_version.flow_slug, coalesce(newest.version, 0) + 1,
      this.definition, this.content_hash, this.subflow_versions
    );
  end if;
end
$$;

comment on function pgflow.publish_version(text) is
  'Adds a version when the flow, or the version of a flow that it runs, is another than before';

-- 0429_changed_flows.sql
create function pgflow.changed_flows(flow_slug text) returns text[]
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  touched text[];
begin
  -- Marks of other transactions are invisible: these are flows that this one has touched.
  with mark as (
    delete from pgflow.unpublished_flows as unpublished returning unpublished.flow_slug
  )
  select array_agg(flow.slug) into touched
  from (
    select mark.flow_slug from mark union select changed_flows.flow_slug
  ) as flow (slug);
  return array(
    select flow.slug
    from unnest(touched) as flow (slug)
    where (pgflow.newest_version(flow.slug)).content_hash
      is distinct from pgflow.content_hash(pgflow.flow_definition(flow.slug))
  );
end
$$;

comment on function pgflow.changed_flows(text) is
  'Which of a flow, and all that this transaction touched, differ from their newest version';

-- 0430_publish_flow.sql
create function pgflow.publish_flow(flow_slug text) returns pgflow.flow_versions
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  changed text[];
  waiting text[];
  ready text[];
  slug text;
begin
  perform pgflow.refuse_foreign_flow(publish_flow.flow_slug);
  changed := pgflow.changed_flows(publish_flow.flow_slug);
  if changed = '{}' then
    return pgflow.newest_version(publish_flow.flow_slug);
  end if;

  -- Held until commit: whoever sees a version_id sees all smaller ones too, so that one number
  -- can stand for the whole catalog. It also lets the checks below see what others added.
  perform pgflow.lock_publishing();
  perform pgflow.refuse_subflow_cycle(changed_flow.slug) from unnest(changed) as changed_flow (slug);

  -- Inner flows first: a flow's version names those of the flows that it runs.
  waiting := pgflow.flows_around(changed);
  while waiting <> '{}' loop
    select array_agg(flow.slug order by flow.slug) into ready
    from unnest(waiting) as flow (slug)
    where not exists (
      select
      from pgflow.steps as step
      where step.flow_slug = flow.slug
        and step.subflow_slug = any (waiting)
        and step.subflow_slug <> flow.slug
    );
    exit when ready is null;
    foreach slug in array ready loop
      perform pgflow.publish_version(slug);
      waiting := array_remove(waiting, slug);
    end loop;
  end loop;
  return pgflow.newest_version(publish_flow.flow_slug);
end
$$;

comment on function pgflow.publish_flow(text) is
  'Adds a version of a flow that changed, of all that this transaction changed, and of those that contain one of them; returns the newest';

-- 0440_mark_unpublished.sql
create function pgflow.mark_unpublished() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  if tg_op <> 'DELETE' then
    insert into pgflow.unpublished_flows values (new.flow_slug) on conflict do nothing;
  end if;
  if tg_op = 'DELETE' or (tg_op = 'UPDATE' and old.flow_slug <> new.flow_slug) then
    insert into pgflow.unpublished_flows values (old.flow_slug) on conflict do nothing;
  end if;
  return null;
end
$$;

create trigger a_change_is_published after insert or update or delete on pgflow.flows
for each row execute function pgflow.mark_unpublished();

create trigger a_change_is_published after insert or update or delete on pgflow.steps
for each row execute function pgflow.mark_unpublished();

create trigger a_change_is_published after insert or update or delete on pgflow.deps
for each row execute function pgflow.mark_unpublished();

create trigger a_change_is_published after insert or update or delete on pgflow.schedules
for each row execute function pgflow.mark_unpublished();

-- 0441_publish_unpublished.sql
create function pgflow.publish_unpublished() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  -- The mark is gone when the transaction published the flow itself and left it alone since.
  if exists (select from pgflow.unpublished_flows where flow_slug = new.flow_slug) then
    perform pgflow.publish_flow(new.flow_slug);
  end if;
  return null;
end
$$;

create constraint trigger flows_are_published_at_commit after insert on pgflow.unpublished_flows
deferrable initially deferred
for each row execute function pgflow.publish_unpublished();

-- 0442_refuse_version_change.sql
create function pgflow.refuse_version_change() returns trigger
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  raise exception 'Versions of flows are never changed or removed; define the flow anew instead.'
    using errcode = 'object_not_in_prerequisite_state';
end
$$;

create trigger versions_are_immutable before update or delete or truncate on pgflow.flow_versions
for each statement execute function pgflow.refuse_version_change();

-- 0443_tag_problem.sql
create function pgflow.tag_problem(tags jsonb)
returns table (broken_constraint text, problem text)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with given (key, value) as (
    -- That tags are an object, a constraint says.
    select *
    from jsonb_each_text(case jsonb_typeof(tags) when 'object' then tags else '{}' end)
  ),
  found (place, broken_constraint, problem) as (
    select 0, 'flow_has_few_tags', format('has %s tags, and a flow may have 50', count(*))
    from given
    having count(*) > 50
    union all
    select 1, 'tags_are_short', format(
      'has the tag "%s", which is too long: a key may have 127 characters, a value 500', left(key, 127)
    )
    from given
    where length(key) > 127 or length(value) > 500
    union all
    select
      2,
      'tags_are_not_ours',
      format('has the tag "%s", and those with this prefix are ours alone; rename it', key)
    from given
    where starts_with(key, 'dagster-pgflow/')
    union all
    select 3, 'tags_reach_nothing_else', format(
      'has the tag "%s", and tags with a "/" can give orders to Dagster and to what launches its runs; name it without one, or have the code location allow it: build_repository(allowed_tags=["%s"])',
      key, key
    )
    from given
    cross join pgflow.store
    where strpos(key, '/') > 0
      and not starts_with(key, 'pgflow/')
      and not exists (
        select
        from unnest(store.allowed_tags) as allowed (pattern)
        where key like replace(
          replace(replace(replace(allowed.pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%'
        )
      )
  )
  select found.broken_constraint, found.problem
  from found
  order by found.place, found.problem
  limit 1
$$;

comment on function pgflow.tag_problem(jsonb) is
  'What a flow must not have these tags for; no row when it may';

-- 0444_refuse_bad_tags.sql
create function pgflow.refuse_bad_tags() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  found record;
begin
  select * into found from pgflow.tag_problem(new.tags);
  if found.problem is not null then
    raise exception 'Flow "%" %.', new.flow_slug, found.problem
      using
        errcode = 'check_violation',
        constraint = found.broken_constraint,
        detail = pgflow.problem_code(found.broken_constraint);
  end if;
  return new;
end
$$;

create trigger tags_reach_nothing_else before insert or update of tags on pgflow.flows
for each row when (new.tags <> '{}') execute function pgflow.refuse_bad_tags();

-- 0449_step_index_of.sql
create function pgflow.step_index_of(flow_slug text, step_slug text) returns integer
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select step.step_index
  from pgflow.steps as step
  where step.flow_slug = step_index_of.flow_slug and step.step_slug = step_index_of.step_slug
$$;

-- 0450_place_step.sql
create function pgflow.place_step() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' and new.step_index is null then
    select coalesce(max(step.step_index) + 1, 0) into new.step_index
    from pgflow.steps as step
    where step.flow_slug = new.flow_slug;
  elsif tg_op = 'UPDATE' and exists (
    select
    from pgflow.deps as dep
    join pgflow.steps as other
      on other.flow_slug = dep.flow_slug
      and other.step_slug in (dep.dep_slug, dep.step_slug)
      and other.step_slug <> old.step_slug
    where dep.flow_slug = old.flow_slug
      and old.step_slug in (dep.dep_slug, dep.step_slug)
      and (dep.dep_slug = old.step_slug) <> (new.step_index < other.step_index)
  ) then
    raise exception 'Step "%" of flow "%" cannot move to index %: it would stand before a step that it depends on, or behind one that depends on it.',
      old.step_slug, old.flow_slug, new.step_index
      using
        errcode = 'check_violation',
        constraint = 'steps_stand_behind_their_dependencies',
        detail = pgflow.problem_code('steps_stand_behind_their_dependencies');
  end if;
  return new;
end
$$;

create trigger steps_have_a_place before insert or update of step_index on pgflow.steps
for each row execute function pgflow.place_step();

-- 0451_place_dep.sql
create function pgflow.place_dep() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  step_index constant integer := pgflow.step_index_of(new.flow_slug, new.step_slug);
  dep_step_index constant integer := pgflow.step_index_of(new.flow_slug, new.dep_slug);
begin
  if new.dep_index is null then
    select coalesce(max(dep.dep_index) + 1, 0) into new.dep_index
    from pgflow.deps as dep
    where dep.flow_slug = new.flow_slug and dep.step_slug = new.step_slug;
  end if;
  -- Dependencies that only ever point to earlier steps cannot form a cycle.
  if dep_step_index > step_index then
    raise exception 'Step "%" of flow "%" cannot depend on "%", which was added after it; add steps in the order in which they depend on each other.',
      new.step_slug, new.flow_slug, new.dep_slug
      using
        errcode = 'check_violation',
        constraint = 'steps_stand_behind_their_dependencies',
        detail = pgflow.problem_code('steps_stand_behind_their_dependencies');
  end if;
  return new;
end
$$;

create trigger deps_have_a_place before insert or update on pgflow.deps
for each row execute function pgflow.place_dep();

-- 0452_count_deps.sql
create function pgflow.count_deps() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  update pgflow.steps as step
  set deps_count = counted.deps_count
  from (
    select
      touched.flow_slug,
      touched.step_slug,
      (
        select count(*) from pgflow.deps as dep
        where dep.flow_slug = touched.flow_slug and dep.step_slug = touched.step_slug
      ) as deps_count
    from (select distinct flow_slug, step_slug from changed_deps) as touched
  ) as counted
  where step.flow_slug = counted.flow_slug
    and step.step_slug = counted.step_slug
    and step.deps_count <> counted.deps_count;
  return null;
end
$$;

create trigger steps_count_added_deps after insert on pgflow.deps
referencing new table as changed_deps
for each statement execute function pgflow.count_deps();

create trigger steps_count_removed_deps after delete on pgflow.deps
referencing old table as changed_deps
for each statement execute function pgflow.count_deps();

create trigger steps_count_deps_before after update on pgflow.deps
referencing old table as changed_deps
for each statement execute function pgflow.count_deps();

create trigger steps_count_deps_after after update on pgflow.deps
referencing new table as changed_deps
for each statement execute function pgflow.count_deps();

-- 0453_settle_settings.sql
create function pgflow.settle_settings() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  new.settings := pgflow.settled(new.settings, new.step_type);
  perform pgflow.refuse_bad_settings(
    new.flow_slug, new.step_slug, new.step_type, new.settings
  );
  return new;
end
$$;

create trigger steps_have_settings_of_their_kind
before insert or update of step_type, settings on pgflow.steps
for each row execute function pgflow.settle_settings();

-- 0500_refuse_unless_slug.sql
create function pgflow.refuse_unless_slug(slug text, meaning text, broken_constraint text)
returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
begin
  if not pgflow.is_valid_slug(slug) then
    raise exception '"%" is not a valid % slug (%): use 1 to 128 letters, digits and underscores, no digit first, and not the reserved word "run".',
      coalesce(slug, 'null'), meaning, broken_constraint
      using
        errcode = 'check_violation',
        constraint = broken_constraint,
        detail = pgflow.problem_code(broken_constraint);
  end if;
end
$$;

-- 0501_refuse_unknown_flow.sql
-- The constraint names are what the Python side knows UnknownFlow by.
create function pgflow.refuse_unknown_flow(
  flow_slug text, broken_constraint text default 'flow_exists'
) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
begin
  raise exception 'Flow "%" does not exist; create it with pgflow.create_flow, or look for its slug in pgflow.flows.',
    coalesce(flow_slug, 'null')
    using
      errcode = case broken_constraint
        when 'flow_exists' then 'undefined_object' else 'foreign_key_violation'
      end,
      constraint = broken_constraint,
      detail = pgflow.problem_code(broken_constraint);
end
$$;

-- 0502_routes_of.sql
create function pgflow.routes_of(step pgflow.steps) returns table (field text, target text)
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  select format('rules[%s].then', rule.position - 1), named.slug
  from jsonb_array_elements(step.settings -> 'rules') with ordinality as rule (value, position)
  cross join lateral jsonb_array_elements_text(
    case when jsonb_typeof(rule.value -> 'then') = 'array' then rule.value -> 'then' end
  ) as named (slug)
  union all
  select path.field, jsonb_array_elements_text(step.settings -> path.field)
  from (values ('default_path'), ('break_path'), ('timeout_path')) as path (field)
$$;

comment on function pgflow.routes_of(pgflow.steps) is
  'The steps that a branch or a loop leads to, with the field that names each';

-- 0503_rule_problem.sql
create function pgflow.rule_problem(rule jsonb)
returns table (broken_constraint text, problem text)
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
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
        'has more than "when" and "then"',
        jsonb_typeof(rule) = 'object'
          and jsonb_path_exists(rule, '$.keyvalue() ? (@.key != "when" && @.key != "then")')
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
$$;

comment on function pgflow.rule_problem(jsonb) is
  'What is wrong with one rule of a branch; no row when nothing is';

-- 0504_refuse_bad_rules.sql
create function pgflow.refuse_bad_rules(step pgflow.steps) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
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
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_rules(pgflow.steps) is
  'Raises when the rules of a branch are not in order';

-- 0505_refuse_bad_join.sql
create function pgflow.refuse_bad_join(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  deps constant integer := cardinality(deps_slugs);
  wait constant text := step.settings ->> 'wait';
  broken_constraint text;
  problem text;
begin
  if step.step_type <> 'join' then
    return;
  elsif deps < 2 then
    broken_constraint := 'join_brings_paths_together';
    problem := format(
      'is a join of %s, and a join brings at least two paths together; add what is missing to deps_slugs',
      case deps when 0 then 'no dependencies' else 'one dependency' end
    );
  elsif num_nonnulls(step.handler, nullif(step.params, '{}'), step.input_schema, step.output_schema) > 0
  then
    broken_constraint := 'join_step_has_no_handler';
    problem := 'is a join, which has no handler, no params and no schemas; let a step behind it do the work';
  elsif wait not in ('all', 'any') and wait !~ '^[1-9][0-9]{0,8}$' then
    broken_constraint := case
      when wait ~ '^-?[0-9]+$' then 'wait_is_positive' else 'wait_is_valid'
    end;
    problem := format(
      'waits for "%s" of its dependencies; say all, any, or a number from 1 to %s', wait, deps
    );
  elsif wait not in ('all', 'any') and wait::integer > deps then
    broken_constraint := 'join_waits_for_what_there_is';
    problem := format(
      'waits for %s of %s dependencies; say all, any, or a number from 1 to %s', wait, deps, deps
    );
  else
    return;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_join(pgflow.steps, text[]) is
  'Raises when a step waits for dependencies that it has not, or has what a join has not';

-- 0506_steps_between.sql
create function pgflow.steps_between(flow_slug text, first_slug text, last_slugs text[])
returns text[]
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with recursive before (slug) as (
    select unnest(last_slugs)
    union
    select dep.dep_slug
    from before
    join pgflow.deps as dep
      on dep.flow_slug = steps_between.flow_slug and dep.step_slug = before.slug
  ),
  on_the_way (slug) as (
    select before.slug from before where before.slug = first_slug
    union
    select dep.step_slug
    from on_the_way
    join pgflow.deps as dep
      on dep.flow_slug = steps_between.flow_slug and dep.dep_slug = on_the_way.slug
    where dep.step_slug in (select before.slug from before)
  )
  select coalesce(array_agg(on_the_way.slug), '{}') from on_the_way
$$;

comment on function pgflow.steps_between(text, text, text[]) is
  'The steps between one step and some others, these included; none where no path leads there';

-- 0507_body_problem.sql
-- All that a loop repeats is there when the loop is added: nothing can come into it later.
create function pgflow.body_problem(step pgflow.steps, body text[])
returns table (broken_constraint text, problem text)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
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
      'repeats one of "%s" and "%s", which goes on when that one fails; let it repeat both, or none of them',
      subflow.step_slug, subflow.settings ->> 'on_failure'
    )
  from pgflow.steps as subflow
  where subflow.flow_slug = step.flow_slug
    and (subflow.step_slug = any (body)) <> (subflow.settings ->> 'on_failure' = any (body))
$$;

comment on function pgflow.body_problem(pgflow.steps, text[]) is
  'What is wrong with the steps that a loop is to repeat, as far as they are there';

-- 0508_refuse_bad_loop.sql
create function pgflow.refuse_bad_loop(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  back_to constant text := step.settings ->> 'back_to';
  given constant integer := num_nonnulls(
    back_to, step.settings -> 'condition', step.settings -> 'max_iterations'
  );
  body text[] := '{}';
  broken_constraint text;
  problem text;
begin
  if step.step_type <> 'loop' then
    return;
  elsif given < 3 then
    broken_constraint := 'only_loop_steps_go_back';
    problem := 'is a loop, which needs back_to, condition and max_iterations; give it all three';
  elsif (step.settings ->> 'max_iterations')::integer not between 1 and 1000 then
    broken_constraint := 'max_iterations_is_in_range';
    problem := format(
      'has max_iterations %s; it must be from 1 to 1000', step.settings ->> 'max_iterations'
    );
  elsif num_nonnulls(
    step.required_input_pattern, step.forbidden_input_pattern, step.run_if, step.run_unless
  ) > 0 then
    broken_constraint := 'loop_step_has_no_condition';
    problem := format(
      'is a loop, which decides after each iteration and cannot be left out of one; move its conditions to "%s", or to a step before',
      back_to
    );
  elsif step.when_exhausted in ('skip', 'skip-cascade') then
    broken_constraint := 'loop_step_is_never_skipped';
    problem := 'is a loop, which cannot be skipped when its handler fails; leave when_exhausted out';
  elsif back_to <> step.step_slug then
    body := pgflow.steps_between(step.flow_slug, back_to, deps_slugs);
    if body = '{}' then
      broken_constraint := case
        when pgflow.step_index_of(step.flow_slug, back_to) is null
          then 'loop_goes_back_to_a_step'
        else 'loop_goes_back_to_a_step_before'
      end;
      problem := format(
        'goes back to "%s", which does not come before it; add that step first, and let the loop depend on it or on one behind it',
        back_to
      );
    elsif exists (
      select from pgflow.steps as first
      where first.flow_slug = step.flow_slug
        and first.step_slug = back_to
        and first.step_type = 'map'
    ) then
      broken_constraint := 'loop_goes_back_to_no_map';
      problem := format(
        'goes back to "%s", a map step, which would have no list to map over from the second iteration on; put a single step before it, and go back to that one',
        back_to
      );
    end if;
  end if;
  if problem is null then
    select found.broken_constraint, found.problem into broken_constraint, problem
    from pgflow.body_problem(step, body || step.step_slug) as found
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_loop(pgflow.steps, text[]) is
  'Raises when a loop cannot go back there';

-- 0509_refuse_route_out_of_loop.sql
create function pgflow.refuse_route_out_of_loop(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  problem text;
begin
  select format(
    'depends on "%s", which loop "%s" repeats; let it depend on "%s" instead, or add it before that loop, which then depends on it',
    inside.slug, loop.step_slug, loop.step_slug
  )
  into problem
  from pgflow.steps as loop
  cross join lateral unnest(
    pgflow.steps_between(loop.flow_slug, loop.settings ->> 'back_to', array[loop.step_slug])
  ) as inside (slug)
  where loop.flow_slug = step.flow_slug
    and loop.step_type = 'loop'
    and inside.slug = any (deps_slugs)
    and inside.slug <> loop.step_slug
  order by loop.step_index desc
  limit 1;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, 'loops_are_left_at_their_end', problem);
end
$$;

comment on function pgflow.refuse_route_out_of_loop(pgflow.steps, text[]) is
  'Raises when a step depends on one that a loop repeats, and not on the loop itself';

-- 0510_create_flow.sql
create function pgflow.create_flow(
  flow_slug text,
  max_attempts integer default null,
  base_delay integer default null,
  timeout integer default null,
  max_delay integer default null,
  jitter text default null,
  description text default '',
  tags jsonb default '{}',
  input_schema jsonb default null,
  output_schema jsonb default null
) returns pgflow.flows
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
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
      description, tags, input_schema, output_schema
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
      create_flow.output_schema
    )
    on conflict do nothing
    returning * into flow;
    exit when found;
    -- Another session created it meanwhile, and may even have deleted it: look again.
  end loop;
  return flow;
end
$$;

comment on function pgflow.create_flow(
  text, integer, integer, integer, integer, text, text, jsonb, jsonb, jsonb
) is
  'Creates a flow, or returns the one that exists unchanged; nulls mean 3 attempts, 5 s, 60 s';

-- 0511_create_flow_of_workflow.sql
-- The same in the words of workflows. Slugs are varchar so that a call by position is not
-- ambiguous: it finds the function above.
create function pgflow.create_flow(
  p_workflow_slug varchar,
  p_max_attempts integer default 3,
  p_timeout integer default 30
) returns table (
  workflow_slug text,
  max_attempts integer,
  timeout integer,
  created_at timestamptz
)
language sql
security definer
set search_path to pg_catalog, pg_temp
as $$
  select flow.flow_slug, flow.opt_max_attempts, flow.opt_timeout, flow.created_at
  from pgflow.create_flow(
    flow_slug => p_workflow_slug::text,
    max_attempts => p_max_attempts,
    timeout => coalesce(p_timeout, 30)
  ) as flow
$$;

comment on function pgflow.create_flow(varchar, integer, integer) is
  'create_flow for callers who speak of workflows; the timeout is 30 s unless given';

-- 0512_route_problem.sql
-- What a branch or a loop leads to stands behind it, so that it is named before it is there. Whether
-- it came is asked when the flow is started.
create function pgflow.route_problem(step pgflow.steps, deps_slugs text[])
returns table (broken_constraint text, problem text)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
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
  left join pgflow.steps as routed
    on routed.flow_slug = step.flow_slug and routed.settings ->> 'on_failure' = route.target
  where route.target is null
    or route.target = step.step_slug
    or not pgflow.is_valid_slug(route.target)
    or routed.step_slug is not null
    or earlier.step_slug is not null
$$;

comment on function pgflow.route_problem(pgflow.steps, text[]) is
  'What is wrong with the steps that a branch or a loop leads to, before they are there';

-- 0513_refuse_bad_routes.sql
create function pgflow.refuse_bad_routes(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
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
        or route.target = step.settings ->> 'on_failure'
      )
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_routes(pgflow.steps, text[]) is
  'Raises when a step leads where it cannot, or does not depend on the step that leads to it';

-- 0519_each_once.sql
create function pgflow.each_once(slugs text[]) returns text[]
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(array_agg(first.slug order by first.position), '{}')
  from (
    select given.slug, min(given.position) as position
    from unnest(slugs) with ordinality as given (slug, position)
    group by given.slug
  ) as first
$$;

comment on function pgflow.each_once(text[]) is
  'The same slugs in the same order, each once; none for null';

-- 0520_step_differences.sql
create function pgflow.step_differences(
  stored pgflow.steps, wanted pgflow.steps, wanted_deps text[]
) returns text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select string_agg(difference.name, ', ' order by difference.name)
  from (
    select replace(column_of.name, 'opt_', '') as name
    from jsonb_each(to_jsonb(wanted)) as column_of (name, value)
    where column_of.name not in ('step_index', 'deps_count', 'created_at', 'settings')
      and column_of.value <> to_jsonb(stored) -> column_of.name
    union all
    -- Two settings have another name as parameters of add_step.
    select case setting.name
      when 'input' then 'subflow_input'
      when 'output' then 'subflow_output'
      else setting.name
    end
    from jsonb_object_keys(stored.settings || wanted.settings) as setting (name)
    where wanted.settings -> setting.name is distinct from stored.settings -> setting.name
    union all
    select 'deps_slugs'
    where array(select unnest(wanted_deps) order by 1) <> array(
      select dep.dep_slug
      from pgflow.deps as dep
      where dep.flow_slug = stored.flow_slug and dep.step_slug = stored.step_slug
      order by 1
    )
  ) as difference
$$;

comment on function pgflow.step_differences(pgflow.steps, pgflow.steps, text[]) is
  'In what a stored step differs from one that is to be added; null when in nothing';

-- 0521_refuse_bad_deps.sql
create function pgflow.refuse_bad_deps(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  missing text;
begin
  if array_position(deps_slugs, null) is not null then
    raise exception 'Step "%" of flow "%" has a dependency that is null; name the step that it depends on.',
      step.step_slug, step.flow_slug
      using
        errcode = 'null_value_not_allowed',
        constraint = 'steps_name_their_dependencies',
        detail = pgflow.problem_code('steps_name_their_dependencies');
  end if;
  if step.step_type = 'map' and cardinality(deps_slugs) > 1 then
    raise exception 'Map step "%" can have at most one dependency, but % were provided: %',
      step.step_slug, cardinality(deps_slugs), array_to_string(deps_slugs, ', ')
      using
        errcode = 'check_violation',
        constraint = 'map_step_has_at_most_one_dependency',
        detail = pgflow.problem_code('map_step_has_at_most_one_dependency'),
        hint = 'A map runs over one list: collect the outputs in a single step and map over that.';
  end if;
  if step.step_slug = any (deps_slugs) then
    raise exception 'Step "%" of flow "%" cannot depend on itself (deps_check).',
      step.step_slug, step.flow_slug
      using
        errcode = 'check_violation',
        constraint = 'deps_check',
        detail = pgflow.problem_code('deps_check');
  end if;
  select string_agg(format('"%s"', wanted.slug), ', ') into missing
  from unnest(deps_slugs) as wanted (slug)
  where not exists (
    select
    from pgflow.steps as dep
    where dep.flow_slug = step.flow_slug and dep.step_slug = wanted.slug
  );
  if missing is not null then
    raise exception 'Step "%" of flow "%" depends on %, which does not exist (deps_flow_slug_dep_slug_fkey): add that step first.',
      step.step_slug, step.flow_slug, missing
      using
        errcode = 'foreign_key_violation',
        constraint = 'deps_flow_slug_dep_slug_fkey',
        detail = pgflow.problem_code('deps_flow_slug_dep_slug_fkey');
  end if;
end
$$;

-- 0522_steps_of.sql
-- What is no field of every kind is a setting. What the author wrote is taken as it is: a null in
-- the place of an object is refused by the constraint of the column.
create function pgflow.steps_of(flow_slug text, steps jsonb, first_index integer)
returns setof pgflow.steps
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
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
    )
  from jsonb_array_elements(steps) with ordinality as given (step, position)
$$;

comment on function pgflow.steps_of(text, jsonb, integer) is
  'The rows that definitions of steps stand for, without their dependencies';

-- 0523_refuse_unknown_subflow.sql
create function pgflow.refuse_unknown_subflow(step pgflow.steps) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
begin
  if step.subflow_slug is not null and not exists (
    select from pgflow.flows as flow where flow.flow_slug = step.subflow_slug
  ) then
    raise exception 'Step "%" of flow "%" runs flow "%", which does not exist; create that flow first.',
      step.step_slug, step.flow_slug, step.subflow_slug
      using
        errcode = 'foreign_key_violation',
        constraint = 'subflow_exists',
        detail = pgflow.problem_code('subflow_exists');
  end if;
end
$$;

-- 0524_refuse_bad_pipeline.sql
-- Whether the step before may be joined is known only here; the constraints hold for the rest.
create function pgflow.refuse_bad_pipeline(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
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
  else
    return;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_pipeline(pgflow.steps, text[]) is
  'Raises when a map step is pipelined, where that cannot be';

-- 0525_literal_params.sql
-- A test compares it with what the configs of the node types say.
create function pgflow.literal_params(handler text) returns text[]
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case handler
    when 'pgflow.http' then '{allow_hosts,allow_private}'::text[]
    when 'pgflow.transform' then '{expression}'
    when 'pgflow.filter' then '{condition,on_error}'
    when 'pgflow.aggregate' then '{group_by,measures}'
    else '{}'
  end
$$;

comment on function pgflow.literal_params(text) is
  'The params of a built-in node type that are no templates: what looks like a reference there is text';

-- 0525_references_in.sql
create function pgflow.references_in(template jsonb) returns setof text
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  select wanted.reference
  from jsonb_path_query(template, 'strict $.** ? (@.type() == "string")') as part (value)
  cross join lateral (select part.value #>> '{}' as whole) as text
  cross join lateral (
    select text.whole as reference where text.whole ~ '^\$(?![${])'
    union all
    select btrim(found[1], E' \t\n\r')
    from regexp_matches(text.whole, '\$\{([^}]*)\}', 'g') as found
    where text.whole !~ '^\$(?!\{)'
  ) as wanted
$$;

comment on function pgflow.references_in(jsonb) is
  'The references of a template: texts that begin with $, and what stands in ${...}';

-- 0526_reference_problems.sql
create function pgflow.reference_problems(step pgflow.steps, deps_slugs text[])
returns table (broken_constraint text, problem text)
language sql
immutable
set search_path to pg_catalog, pg_temp
as $body$
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
  ),
  read (field, reference, root, dep) as (
    select
      written.field,
      written.reference,
      (regexp_match(written.reference, '^\$(nodes|input|item)(?:\.[^].{}$\s[]+|\[\d+\])*$'))[1],
      (regexp_match(written.reference, '^\$nodes(?:\.|\[)([^].{}$\s[]+)'))[1]
    from written
  )
  select
    case
      when read.root is null or (read.root = 'nodes' and read.dep is null)
        then 'references_are_well_formed'
      when read.field = 'params' and read.root = 'item' then 'only_map_steps_have_elements'
      when read.field = 'params' then 'params_refer_to_dependencies'
      when read.root = 'item' then 'only_steps_over_a_list_have_items'
      when read.field = 'subflow_output' then 'output_refers_to_final_steps'
      else 'input_refers_to_dependencies'
    end,
    case
      when read.root is null or (read.root = 'nodes' and read.dep is null) then format(
        'has `%s` in its %s, which is not a reference; write $nodes.<step>, $input or $item, or a path below one of them (and $$ for a text that begins with $)',
        read.reference, read.field
      )
      when read.field = 'params' and read.root = 'item' then format(
        'has `%s` in its params, where there is no item; only those of a map step can refer to it',
        read.reference
      )
      when read.field = 'params' and step.step_type = 'map' then format(
        'has `%s` in its params, but receives one element at a time; refer to $item or $input',
        read.reference
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
    or (read.root = 'item' and read.field = 'params' and step.step_type <> 'map')
    or (
      read.root = 'item' and read.field <> 'params'
      and (read.field <> 'subflow_input' or not step.settings ? 'over')
    )
    or (read.field = 'subflow_output' and read.root <> 'nodes')
    or (
      read.field <> 'subflow_output' and read.root = 'nodes'
      and (read.dep <> all (deps_slugs) or (read.field = 'params' and step.step_type = 'map'))
    )
$body$;

comment on function pgflow.reference_problems(pgflow.steps, text[]) is
  'What is wrong with the references of a step, as far as its flow tells';

-- 0527_refuse_bad_mapping.sql
-- Which fields there are only the flow's schemas tell, which the Python side compares.
create function pgflow.refuse_bad_mapping(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  over constant text := step.settings ->> 'over';
  broken_constraint text;
  problem text;
begin
  if jsonb_typeof(step.params) <> 'object' then
    broken_constraint := 'params_are_an_object';
    problem := 'has params that are not an object; name each of them';
  elsif over !~ '^\$' and over <> all (deps_slugs) then
    broken_constraint := 'over_is_a_dependency';
    problem := format('runs over "%s", but does not depend on it; add it to deps_slugs', over);
  else
    select found.broken_constraint, found.problem into broken_constraint, problem
    from pgflow.reference_problems(step, deps_slugs) as found
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_mapping(pgflow.steps, text[]) is
  'Raises when a step maps what it cannot, or with references that lead to no dependency';

-- 0528_refuse_bad_failure_step.sql
-- A failure step stands behind its subflow, so that it is named before it is there. Whether it came
-- is asked when the flow is started.
create function pgflow.refuse_bad_failure_step(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  on_failure constant text := step.settings ->> 'on_failure';
  broken_constraint text;
  problem text;
  routed_by text;
begin
  select other.step_slug into routed_by
  from pgflow.steps as other
  where other.flow_slug = step.flow_slug and other.settings ->> 'on_failure' = step.step_slug;

  if routed_by is not null and routed_by <> all (deps_slugs) then
    broken_constraint := 'failure_step_depends_on_its_subflow';
    problem := format(
      'goes on when "%s" fails, so it must depend on it; add "%s" to deps_slugs', routed_by, routed_by
    );
  elsif routed_by is not null and step.step_type = 'map' then
    broken_constraint := 'failure_step_is_no_map';
    problem := format(
      'goes on when "%s" fails, but is a map step; let a single or subflow step do it', routed_by
    );
  elsif routed_by is not null and step.step_type = 'join' then
    broken_constraint := 'failure_step_is_no_join';
    problem := format(
      'goes on when "%s" fails, but is a join; let a single or subflow step do it', routed_by
    );
  elsif on_failure is null then
    return;
  elsif on_failure = step.step_slug then
    broken_constraint := 'failure_step_is_another_step';
    problem := 'cannot go on with itself when it fails; name another step in on_failure';
  elsif not pgflow.is_valid_slug(on_failure) then
    broken_constraint := 'steps_step_slug_check';
    problem := format('goes on with "%s", which is not a valid step slug', on_failure);
  elsif exists (
    select from pgflow.steps as earlier
    where earlier.flow_slug = step.flow_slug and earlier.step_slug = on_failure
  ) then
    broken_constraint := case
      when pgflow.steps_between(step.flow_slug, on_failure, deps_slugs) = '{}'
        then 'failure_step_depends_on_its_subflow'
      else 'failure_step_comes_after_its_subflow'
    end;
    problem := format(
      'goes on with "%s" when it fails, which was added before it and so does not depend on it; add that step after this one',
      on_failure
    );
  else
    select format(
      'goes on with "%s" when it fails, and so does step "%s"; give each a failure step of its own',
      on_failure, other.step_slug
    ) into problem
    from pgflow.steps as other
    where other.flow_slug = step.flow_slug and other.settings ->> 'on_failure' = on_failure;
    broken_constraint := 'failure_step_belongs_to_one_subflow';
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_failure_step(pgflow.steps, text[]) is
  'Raises when a step cannot go on after the failure of a subflow, or names one that cannot';

-- 0529_define_step.sql
create function pgflow.define_step(flow_slug text, definition jsonb) returns pgflow.steps
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
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
  perform pgflow.refuse_bad_pipeline(step, deps);
  perform pgflow.refuse_bad_mapping(step, deps);
  perform pgflow.refuse_bad_failure_step(step, deps);
  perform pgflow.refuse_bad_rules(step);
  perform pgflow.refuse_bad_join(step, deps);
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

comment on function pgflow.define_step(text, jsonb) is
  'Adds a step that is given as in a flow definition, as add_step does with its parameters';

-- 0529_insert_steps.sql
-- Every step of a definition and its dependencies; without a first index each comes behind the
-- steps that are there.
create function pgflow.insert_steps(flow_slug text, steps jsonb, first_index integer) returns void
language sql
set search_path to pg_catalog, pg_temp
as $$
  insert into pgflow.steps
  select step.* from pgflow.steps_of(insert_steps.flow_slug, steps, first_index) as step;

  insert into pgflow.deps (flow_slug, dep_slug, step_slug, dep_index)
  select insert_steps.flow_slug, dep.slug, given.step ->> 'slug', min(dep.position) - 1
  from jsonb_array_elements(steps) as given (step)
  cross join jsonb_array_elements_text(
    coalesce(given.step -> 'depends_on', '[]')
  ) with ordinality as dep (slug, position)
  group by dep.slug, given.step ->> 'slug';
$$;

-- 0529_refuse_bad_pool.sql
create function pgflow.refuse_bad_pool(step pgflow.steps) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  problem text;
begin
  if step.pool is null then
    return;
  elsif step.step_type in ('subflow', 'join') then
    broken_constraint := 'only_steps_with_handlers_have_a_pool';
    problem := format(
      'is a %s, which has no handler and so no pool; give one to the steps that do the work',
      step.step_type
    );
  elsif not pgflow.is_valid_slug(step.pool) then
    broken_constraint := 'pool_is_valid';
    problem := format(
      'has the pool "%s"; a pool is named as a slug is: 1 to 128 letters, digits or underscores, no digit first, and not the reserved word "run"',
      left(step.pool, 128)
    );
  else
    return;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_pool(pgflow.steps) is
  'Raises when a step has a pool that cannot be';

-- 0530_add_step.sql
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
  pool text default null
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
  );
end
$$;

comment on function pgflow.add_step is
  'Adds a step behind the steps that it depends on, or returns the equal step that exists';

-- 0531_add_step_of_workflow.sql
create function pgflow.add_step(
  p_workflow_slug varchar,
  p_step_slug varchar,
  p_depends_on text[] default '{}',
  p_step_type text default 'single',
  p_initial_tasks integer default null,
  p_max_attempts integer default null,
  p_timeout integer default null
) returns table (
  workflow_slug text,
  step_slug text,
  step_type text,
  step_index integer,
  deps_count integer,
  initial_tasks integer,
  max_attempts integer,
  timeout integer,
  created_at timestamptz
)
language sql
security definer
set search_path to pg_catalog, pg_temp
as $$
  select
    step.flow_slug, step.step_slug, step.step_type, step.step_index, step.deps_count,
    step.initial_tasks, step.opt_max_attempts, step.opt_timeout, step.created_at
  from pgflow.add_step(
    flow_slug => p_workflow_slug::text,
    step_slug => p_step_slug::text,
    deps_slugs => p_depends_on,
    max_attempts => p_max_attempts,
    timeout => p_timeout,
    step_type => p_step_type,
    initial_tasks => p_initial_tasks
  ) as step
$$;

comment on function pgflow.add_step(varchar, varchar, text[], text, integer, integer, integer) is
  'add_step for callers who speak of workflows';

-- 0539_delete_runs_of.sql
create function pgflow.delete_runs_of(flow_slug text) returns bigint
language sql
set search_path to pg_catalog, pg_temp
as $$
  with deleted as (
    delete from pgflow.runs as run
    where run.flow_slug = delete_runs_of.flow_slug
      and run.status in ('completed', 'failed', 'cancelled')
    returning run.id, run.run_id, run.dagster_run_id
  ),
  events as (
    delete from pgflow.event_log as event
    using deleted
    where event.run_id = deleted.run_id
  ),
  requests as (
    delete from pgflow.run_requests as request
    using deleted
    where request.run_id = deleted.run_id
  ),
  -- Subflow steps of mode run have runs of their own in Dagster, and so may iterations of loops.
  dagster_runs as (
    select deleted.dagster_run_id from deleted
    union
    select subrun.dagster_run_id
    from deleted
    join pgflow.subruns as subrun on subrun.parent_run_id = deleted.id
    union
    select (event.event_data ->> 'dagster_run_id')::uuid
    from deleted
    join pgflow.event_log as event using (run_id)
    where event.event_type = 'loop.iteration_started'
  ),
  outputs as (
    delete from pgflow.step_outputs as output
    using dagster_runs
    where output.dagster_run_id = dagster_runs.dagster_run_id
  ),
  -- The cursors stay: without them the sensors would find the runs anew. A sensor that is reading
  -- one of them now sees by the number of looks that it is late.
  cursors as (
    update pgflow.run_cursors as run_cursor
    set is_final = true, looks = run_cursor.looks + 1
    from deleted
    where run_cursor.dagster_run_id = deleted.dagster_run_id
  )
  select count(*) from deleted
$$;

comment on function pgflow.delete_runs_of(text) is
  'Deletes what is known of the runs of a flow that are over, and returns how many they were';

-- 0540_refuse_run.sql
create function pgflow.refuse_run(run_id uuid, reason text) returns boolean
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  update pgflow.run_requests as request
  set refused_at = now(), refused_reason = refuse_run.reason
  where request.run_id = refuse_run.run_id and request.refused_at is null;
  if not found then
    return false;
  end if;
  -- A run that Dagster already has is Dagster's to judge.
  update pgflow.runs as run
  set status = 'failed', error_message = refuse_run.reason, failed_at = now(), updated_at = now()
  where run.run_id = refuse_run.run_id and run.status = 'queued' and run.dagster_run_id is null;
  return true;
end
$$;

comment on function pgflow.refuse_run(uuid, text) is
  'Ends a request that cannot be run, with the reason in its run; whether there was one to end';

-- 0541_delete_flow.sql
create function pgflow.delete_flow(
  flow_slug text,
  force boolean default false,
  with_runs boolean default false
)
returns pgflow.flows
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  flow pgflow.flows;
  users text;
  runs_under_way bigint;
begin
  perform pgflow.refuse_foreign_flow(delete_flow.flow_slug);
  perform pgflow.lock_flow(delete_flow.flow_slug);
  select existing.* into flow
  from pgflow.flows as existing
  where existing.flow_slug = delete_flow.flow_slug
  for update;
  if not found then
    perform pgflow.refuse_unknown_flow(delete_flow.flow_slug);
  end if;

  select string_agg(distinct format('"%s"', step.flow_slug), ', ') into users
  from pgflow.steps as step
  where step.subflow_slug = flow.flow_slug and step.flow_slug <> flow.flow_slug;
  select count(*) into runs_under_way
  from pgflow.runs as run
  where run.flow_slug = flow.flow_slug and run.status in ('queued', 'started');

  if not coalesce(delete_flow.force, false) then
    if users is not null then
      raise exception 'Flow "%" is a subflow of %; remove those steps first, or delete with force => true.',
        flow.flow_slug, users
        using errcode = 'dependent_objects_still_exist';
    elsif runs_under_way > 0 then
      raise exception 'Flow "%" has % under way; wait for the end, or delete with force => true.',
        flow.flow_slug, case runs_under_way when 1 then '1 run' else runs_under_way || ' runs' end
        using errcode = 'object_in_use';
    end if;
  end if;

  perform pgflow.refuse_run(
    run.run_id, format('Flow "%s" was deleted before this run began.', flow.flow_slug)
  )
  from pgflow.runs as run
  where run.flow_slug = flow.flow_slug
    and run.status = 'queued'
    and run.dagster_run_id is null;
  if coalesce(delete_flow.with_runs, false) then
    perform pgflow.delete_runs_of(flow.flow_slug);
  end if;
  delete from pgflow.flows as doomed where doomed.flow_slug = flow.flow_slug;
  return flow;
end
$$;

comment on function pgflow.delete_flow(text, boolean, boolean) is
  'Deletes a flow that no other flow and no run needs; force skips the question. Its versions stay, and so do its runs unless with_runs is true';

-- 0549_insert_schedules.sql
create function pgflow.insert_schedules(flow_slug text, schedules jsonb) returns void
language sql
set search_path to pg_catalog, pg_temp
as $$
  insert into pgflow.schedules (flow_slug, schedule_slug, cron, timezone, input, enabled)
  select
    insert_schedules.flow_slug,
    given.schedule ->> 'slug',
    given.schedule ->> 'cron',
    coalesce(given.schedule ->> 'timezone', 'UTC'),
    coalesce(given.schedule -> 'input', '{}'),
    coalesce((given.schedule ->> 'enabled')::boolean, true)
  from jsonb_array_elements(insert_schedules.schedules) as given (schedule);
$$;

-- 0550_replace_flow.sql
create function pgflow.replace_flow(definition jsonb) returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
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
    opt_max_delay = coalesce((definition #>> '{options,max_delay}')::integer, 3600),
    opt_jitter = coalesce(definition #>> '{options,jitter}', 'none'),
    description = coalesce(definition ->> 'description', ''),
    input_schema = nullif(definition -> 'input_schema', 'null'),
    output_schema = nullif(definition -> 'output_schema', 'null'),
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

comment on function pgflow.replace_flow(jsonb) is
  'Stores a whole definition, steps behind their dependencies, in place of what was there';

-- 0600_workflows.sql
create view pgflow.workflows as
select
  flow_slug as workflow_slug,
  opt_max_attempts as max_attempts,
  opt_timeout as timeout,
  created_at
from pgflow.flows;

-- Workflows have 30 s where flows have 60 s.
alter view pgflow.workflows alter column timeout set default 30;

comment on view pgflow.workflows is 'pgflow.flows in the words of workflows; updatable';

-- 0610_workflow_steps.sql
create view pgflow.workflow_steps as
select
  flow_slug as workflow_slug,
  step_slug,
  step_type,
  step_index,
  deps_count,
  initial_tasks,
  opt_max_attempts as max_attempts,
  opt_timeout as timeout,
  created_at
from pgflow.steps;

comment on view pgflow.workflow_steps is 'pgflow.steps in the words of workflows; updatable';

-- 0620_workflow_step_dependencies_def.sql
create view pgflow.workflow_step_dependencies_def as
select
  flow_slug as workflow_slug,
  dep_slug,
  step_slug,
  created_at
from pgflow.deps;

comment on view pgflow.workflow_step_dependencies_def is
  'pgflow.deps in the words of workflows; updatable';

-- 0630_all_runs.sql
create view pgflow.all_runs as
select
  'top-level' as run_type,
  run.id as top_run_id,
  run.run_id,
  null::bigint as subrun_id,
  null::bigint as parent_run_id,
  null::bigint as parent_subrun_id,
  null::text as parent_step_slug,
  run.flow_slug,
  null::integer as run_index,
  null::integer as subrun_index,
  null::text as subrun_path,
  null::integer as map_index,
  run.status,
  run.input,
  run.output,
  run.error_message,
  run.created_at,
  run.started_at,
  run.completed_at,
  run.updated_at,
  null::text as label
from pgflow.runs as run
union all
select
  'subrun',
  subrun.parent_run_id,
  run.run_id,
  subrun.subrun_id,
  subrun.parent_run_id,
  subrun.parent_subrun_id,
  subrun.parent_step_slug,
  subrun.subflow_slug,
  subrun.run_index,
  subrun.subrun_index,
  subrun.subrun_path,
  subrun.map_index,
  subrun.status,
  subrun.input,
  subrun.output,
  subrun.error_message,
  subrun.created_at,
  subrun.started_at,
  subrun.completed_at,
  subrun.updated_at,
  'Subrun #' || subrun.run_index || ' of step ' || subrun.parent_step_slug
from pgflow.subruns as subrun
join pgflow.runs as run on run.id = subrun.parent_run_id;

comment on view pgflow.all_runs is 'Runs and subruns in one list; run_type is top-level or subrun';
comment on column pgflow.all_runs.run_id is 'The run, or the run that the subrun is part of';

-- 0631_v_active_runs.sql
create view pgflow.v_active_runs as
select
  run.id,
  run.run_id,
  run.dagster_run_id,
  run.flow_slug,
  run.flow_version,
  run.status,
  run.created_at,
  run.started_at,
  run.updated_at,
  coalesce(run.remaining_steps, 0) as remaining_steps,
  newest.counter as tokens,
  coalesce(steps.under_way, 0) as steps_under_way,
  coalesce(waiting.joins, 0) as joins_waiting
from pgflow.runs as run
left join lateral (
  select snapshot.counter
  from pgflow.run_counter_snapshots as snapshot
  where snapshot.run_id = run.run_id
  order by snapshot.sequence_num desc
  limit 1
) as newest on true
left join lateral (
  select count(*) as under_way
  from pgflow.step_states as step
  where step.run_id = run.run_id and step.status = 'started' and step.step_type <> 'subflow'
) as steps on true
left join lateral (
  select count(distinct pending.node) as joins
  from pgflow.pending_tokens as pending
  where pending.run_id = run.run_id
) as waiting on true
where run.status in ('queued', 'started');

comment on view pgflow.v_active_runs is 'The runs that are not over, and how far they are';

-- 0632_v_failed_executions.sql
create view pgflow.v_failed_executions as
select
  execution.run_id,
  run.flow_slug as run_flow_slug,
  execution.step_path,
  execution.step_slug,
  execution.flow_slug,
  execution.task_index,
  execution.attempt,
  execution.error,
  execution.worker_id,
  execution.started_at,
  execution.completed_at as failed_at,
  execution.duration_ms,
  not exists (
    select
    from pgflow.node_executions as later
    where later.run_id = execution.run_id
      and later.step_path = execution.step_path
      and later.task_index = execution.task_index
      and later.attempt > execution.attempt
  ) as is_last,
  task.status as task_status,
  run.status as run_status
from pgflow.node_executions as execution
join pgflow.runs as run on run.run_id = execution.run_id
join pgflow.step_tasks as task
  on task.run_id = execution.run_id
  and task.step_path = execution.step_path
  and task.task_index = execution.task_index
where execution.status = 'failed';

comment on view pgflow.v_failed_executions is
  'The attempts that failed, and what has become of their tasks and runs';
comment on column pgflow.v_failed_executions.is_last is
  'Whether no other attempt of the task has begun since';

-- 0700_is_of_json_type.sql
create function pgflow.is_of_json_type(value jsonb, wanted text) returns boolean
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case wanted
    -- JSON Schema counts 1.0 as an integer.
    when 'integer' then case
      when jsonb_typeof(value) = 'number' then value::numeric = trunc(value::numeric)
      else false
    end
    else jsonb_typeof(value) = wanted
  end
$$;

-- 0701_schema_rules_within.sql
create function pgflow.schema_rules_within(value jsonb, schema jsonb, place text)
returns table (value jsonb, schema jsonb, place text, problem text)
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  -- A missing or an unknown key is a problem by itself; the other rows are values to check.
  select null::jsonb, null::jsonb, null::text,
    format('%s lacks the key "%s"', schema_rules_within.place, wanted.name)
  from jsonb_array_elements_text(
    case jsonb_typeof(schema_rules_within.schema -> 'required')
      when 'array' then schema_rules_within.schema -> 'required'
      else '[]'
    end
  ) as wanted (name)
  where jsonb_typeof(schema_rules_within.value) = 'object'
    and not schema_rules_within.value ? wanted.name
  union all
  select null, null, null,
    format('%s has the unknown key "%s"', schema_rules_within.place, given.name)
  from jsonb_object_keys(
    case jsonb_typeof(schema_rules_within.value)
      when 'object' then schema_rules_within.value
      else '{}'
    end
  ) as given (name)
  where schema_rules_within.schema -> 'additionalProperties' = 'false'
    and not schema_rules_within.schema ? 'patternProperties'
    and not coalesce(schema_rules_within.schema -> 'properties', '{}') ? given.name
  union all
  select
    schema_rules_within.value -> property.name,
    property.schema,
    schema_rules_within.place || '.' || property.name,
    null
  from jsonb_each(
    case jsonb_typeof(schema_rules_within.schema -> 'properties')
      when 'object' then schema_rules_within.schema -> 'properties'
      else '{}'
    end
  ) as property (name, schema)
  where jsonb_typeof(schema_rules_within.value) = 'object'
    and schema_rules_within.value ? property.name
  union all
  select
    element.value,
    schema_rules_within.schema -> 'items',
    format('%s[%s]', schema_rules_within.place, element.position - 1),
    null
  from jsonb_array_elements(
    case jsonb_typeof(schema_rules_within.value)
      when 'array' then schema_rules_within.value
      else '[]'
    end
  ) with ordinality as element (value, position)
  where jsonb_typeof(schema_rules_within.schema -> 'items') = 'object'
    and not schema_rules_within.schema ? 'prefixItems'
  union all
  select schema_rules_within.value, part.schema, schema_rules_within.place, null
  from jsonb_array_elements(
    case jsonb_typeof(schema_rules_within.schema -> 'allOf')
      when 'array' then schema_rules_within.schema -> 'allOf'
      else '[]'
    end
  ) as part (schema)
$$;

-- 0702_schema_verdict.sql
-- Knows a part of JSON Schema, and only speaks when the value certainly breaks it: what this
-- function lets through, the code location validates again in full. A schema can ask for more work
-- than anybody has (parts that double in "allOf" or "anyOf", lists in lists of choices): each look
-- costs some of the effort, by the size of what is looked at, and without effort nothing is said.
create function pgflow.schema_verdict(
  value jsonb, schema jsonb, root jsonb, place text, depth integer,
  inout effort integer, out problem text
)
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  wanted_types text;
  rule record;
  alternative jsonb;
  found_problems text[];
begin
  effort := effort - 1 - (pg_column_size(schema) + pg_column_size(value)) / 200;
  if effort <= 0 or jsonb_typeof(schema) is distinct from 'object' or depth > 50 then
    return;
  end if;

  if schema ? '$ref' then
    -- Other rules beside a reference count in some drafts and not in others.
    select verdict.effort, verdict.problem into effort, problem
    from pgflow.schema_verdict(
      value, pgflow.referred_schema(schema -> '$ref', root), root, place, depth + 1, effort
    ) as verdict;
    return;
  end if;

  if schema ? 'type' then
    select string_agg(wanted.name, ' or ') into wanted_types
    from jsonb_array_elements_text(
      case jsonb_typeof(schema -> 'type')
        when 'array' then schema -> 'type'
        else jsonb_build_array(schema -> 'type')
      end
    ) as wanted (name)
    having not bool_or(pgflow.is_of_json_type(value, wanted.name));
    if wanted_types is not null then
      problem := format('%s is %s, but must be %s', place, jsonb_typeof(value), wanted_types);
      return;
    end if;
  end if;

  if jsonb_typeof(schema -> 'enum') = 'array' and not exists (
    select from jsonb_array_elements(schema -> 'enum') as allowed (value)
    where allowed.value = schema_verdict.value
  ) then
    problem := format('%s must be one of %s', place, schema -> 'enum');
    return;
  elsif schema ? 'const' and schema -> 'const' <> value then
    problem := format('%s must be %s', place, schema -> 'const');
    return;
  end if;

  for rule in select * from pgflow.schema_rules_within(value, schema, place) loop
    if rule.schema is null then
      problem := rule.problem;
      return;
    end if;
    select verdict.effort, verdict.problem into effort, problem
    from pgflow.schema_verdict(rule.value, rule.schema, root, rule.place, depth + 1, effort)
      as verdict;
    if problem is not null or effort <= 0 then
      return;
    end if;
  end loop;

  for rule in select named.alternatives from (values (schema -> 'anyOf'), (schema -> 'oneOf'))
    as named (alternatives) where jsonb_typeof(named.alternatives) = 'array'
  loop
    found_problems := '{}';
    for alternative in select choice.value from jsonb_array_elements(rule.alternatives) as choice loop
      select verdict.effort, verdict.problem into effort, problem
      from pgflow.schema_verdict(value, alternative, root, place, depth + 1, effort) as verdict;
      exit when problem is null;
      found_problems := found_problems || problem;
    end loop;
    if problem is not null then
      problem := array_to_string(found_problems, '; or ');
      return;
    elsif effort <= 0 then
      return;
    end if;
  end loop;
end
$$;

-- 0703_referred_schema.sql
create function pgflow.referred_schema(reference jsonb, root jsonb) returns jsonb
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  place constant text := reference #>> '{}';
  found jsonb := root;
  key text;
begin
  if jsonb_typeof(reference) is distinct from 'string' or place like '%\%%'
    or (place <> '#' and place not like '#/%')
  then
    return null;
  end if;
  foreach key in array (string_to_array(place, '/'))[2:] loop
    key := replace(replace(key, '~1', '/'), '~0', '~');
    if jsonb_typeof(found) <> 'object' then
      return null;
    end if;
    found := found -> key;
  end loop;
  return found;
end
$$;

comment on function pgflow.referred_schema(jsonb, jsonb) is
  'The part of a JSON Schema that a $ref within it names; null where it leads elsewhere';

-- 0703_schema_problem.sql
create function pgflow.schema_problem(value jsonb, schema jsonb, root jsonb, place text)
returns text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select verdict.problem
  from pgflow.schema_verdict(
    schema_problem.value, schema_problem.schema, schema_problem.root, schema_problem.place,
    0, 20000
  ) as verdict
$$;

comment on function pgflow.schema_problem(jsonb, jsonb, jsonb, text) is
  'What is wrong with a JSON value by a JSON Schema, as far as this is certain and no great work; null when nothing is';

-- 0704_resolved_schema.sql
create function pgflow.resolved_schema(schema jsonb, root jsonb) returns jsonb
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  here jsonb := schema;
begin
  for _ in 1..50 loop
    if jsonb_typeof(here) is distinct from 'object' then
      return null;
    elsif not here ? '$ref' then
      return here;
    end if;
    here := pgflow.referred_schema(here -> '$ref', root);
  end loop;
  return null;
end
$$;

comment on function pgflow.resolved_schema(jsonb, jsonb) is
  'What a part of a JSON Schema refers to in the end, and itself where it does not refer';

-- 0705_default_of.sql
create function pgflow.default_of(schema jsonb, root jsonb) returns jsonb
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  here jsonb := schema;
begin
  for _ in 1..50 loop
    if jsonb_typeof(here) is distinct from 'object' then
      return null;
    elsif here ? 'default' then
      return here -> 'default';
    end if;
    here := pgflow.referred_schema(here -> '$ref', root);
  end loop;
  return null;
end
$$;

comment on function pgflow.default_of(jsonb, jsonb) is
  'The default of a part of a JSON Schema, or of what it refers to; null without one';

-- 0706_filled_in.sql
-- Counts what is filled in for one default, since a schema may refer to itself: where that never
-- ends, nothing comes out. Beyond 100 levels no value lies.
create function pgflow.filled_in(
  value jsonb, schema jsonb, root jsonb, level integer, inside integer,
  out filled jsonb, out inside_now integer
)
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  -- Only what may have parts comes here, and most schemas do not refer: calls take most of the time.
  resolved constant jsonb := case
    when jsonb_typeof(schema) is distinct from 'object' then null
    when schema ? '$ref' then pgflow.resolved_schema(schema, root)
    else schema
  end;
  items jsonb;
  names text[] := '{}';
  parts jsonb[] := '{}';
  here record;
  part jsonb;
begin
  filled := value;
  inside_now := inside;
  if resolved is null then
    return;
  elsif level > 100 then
    filled := case when inside is null then value end;
    return;
  end if;

  if jsonb_typeof(value) = 'array' then
    if jsonb_typeof(resolved -> 'items') is distinct from 'object' or resolved ? 'prefixItems' then
      return;
    end if;
    items := pgflow.resolved_schema(resolved -> 'items', root);
    for part in select element.value from jsonb_array_elements(value) as element (value) loop
      if jsonb_typeof(part) in ('object', 'array') then
        select inner_value.filled, inner_value.inside_now into part, inside_now
        from pgflow.filled_in(part, items, root, level + 1, inside_now) as inner_value;
        if part is null then
          filled := null;
          return;
        end if;
      end if;
      parts := array_append(parts, part);
    end loop;
    filled := to_jsonb(parts);
    return;
  end if;

  if jsonb_typeof(resolved -> 'properties') is distinct from 'object' then
    return;
  end if;
  for here in select field.name, field.schema
    from jsonb_each(resolved -> 'properties') as field (name, schema)
  loop
    part := value -> here.name;
    if part is not null then
      continue when jsonb_typeof(part) not in ('object', 'array');
      select inner_value.filled, inner_value.inside_now into part, inside_now
      from pgflow.filled_in(part, here.schema, root, level + 1, inside_now) as inner_value;
    else
      part := case
        when jsonb_typeof(here.schema) <> 'object' then null
        when here.schema ? 'default' then here.schema -> 'default'
        when here.schema ? '$ref' then pgflow.default_of(here.schema, root)
      end;
      continue when part is null;
      if inside_now >= 1000 then
        filled := null;
        return;
      end if;
      if jsonb_typeof(part) in ('object', 'array') then
        select
          inner_value.filled, case when inside is not null then inner_value.inside_now end
        into part, inside_now
        from pgflow.filled_in(part, here.schema, root, level + 1, coalesce(inside_now, 0) + 1)
          as inner_value;
      elsif inside is not null then
        inside_now := inside_now + 1;
      end if;
    end if;
    if part is null then
      filled := null;
      return;
    end if;
    names := array_append(names, here.name);
    parts := array_append(parts, part);
  end loop;
  if names <> '{}' then
    filled := value || (
      select jsonb_object_agg(changed.name, changed.value)
      from unnest(names, parts) as changed (name, value)
    );
  end if;
end
$$;

-- 0707_input_of_run.sql
create function pgflow.input_of_run(asked jsonb, schema jsonb) returns jsonb
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  wanted constant jsonb := coalesce(asked, pgflow.default_of(schema, schema), '{}');
begin
  -- Most schemas have none, and a large input takes time to look through.
  if schema is null or position('"default"' in schema::text) = 0 then
    return wanted;
  end if;
  if jsonb_typeof(wanted) not in ('object', 'array') then
    return wanted;
  end if;
  return coalesce(
    (select within.filled from pgflow.filled_in(wanted, schema, schema, 0, null) as within), wanted
  );
end
$$;

comment on function pgflow.input_of_run(jsonb, jsonb) is
  'The input that was asked for, laid over the defaults of the input schema; null asks for nothing';

-- 0708_asked_hash.sql
create function pgflow.asked_hash(input jsonb) returns text
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(input::text, 'UTF8')), 'hex')
$$;

comment on function pgflow.asked_hash(jsonb) is
  'What tells the inputs of requests apart; null where no input was given';

-- 0709_contained_flows.sql
create function pgflow.contained_flows(flow_slug text) returns setof text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with recursive contained (slug) as (
    select contained_flows.flow_slug
    union
    select step.subflow_slug
    from contained
    join pgflow.steps as step on step.flow_slug = contained.slug
    where step.subflow_slug is not null
  )
  select contained.slug from contained
$$;

comment on function pgflow.contained_flows(text) is
  'A flow and all that run inside it, by their slugs';

-- 0710_watermark_of.sql
create function pgflow.watermark_of(flow_slug text) returns bigint
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select max((pgflow.newest_version(contained.slug)).version_id)
  from pgflow.contained_flows(watermark_of.flow_slug) as contained (slug)
$$;

comment on function pgflow.watermark_of(text) is
  'The newest version_id among the flow and all flows that it contains';

-- 0715_run_started_as.sql
create function pgflow.run_started_as(run_id uuid, flow_slug text, input jsonb) returns pgflow.runs
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  run pgflow.runs;
  is_same boolean;
begin
  select existing.* into run
  from pgflow.runs as existing
  where existing.run_id = run_started_as.run_id;
  if not found then
    return null;
  end if;
  -- Defaults may have changed since: what was asked for is what counts.
  select pgflow.asked_hash(run_started_as.input) is not distinct from request.asked_hash
  into is_same
  from pgflow.run_requests as request
  where request.run_id = run.run_id;
  if is_same is not true then
    is_same := run.input = pgflow.input_of_run(
      run_started_as.input,
      (
        select version.definition -> 'input_schema'
        from pgflow.flow_versions as version
        where version.version_id = run.version_id
      )
    );
  end if;
  if run.flow_slug <> run_started_as.flow_slug or is_same is not true then
    raise exception 'Run % already exists with another % (flow "%"); use a new run_id.',
      run.run_id,
      case when run.flow_slug <> run_started_as.flow_slug then 'flow' else 'input' end,
      run.flow_slug
      using errcode = 'unique_violation', constraint = 'runs_run_id_key';
  end if;
  return run;
end
$$;

comment on function pgflow.run_started_as(uuid, text, jsonb) is
  'The run with this id, if there is one; raises when it is the run of another flow or input';

-- 0716_refuse_open_failure_step.sql
create function pgflow.refuse_open_failure_step(flow_slug text) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
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
      step.step_slug, step.flow_slug, step.settings ->> 'on_failure',
      case
        when failure_step.step_slug is null then 'does not exist; add it'
        when failure_step.step_type = 'map' then 'is a map step; let a single or subflow step do it'
        when failure_step.step_type = 'join' then 'is a join; let a single or subflow step do it'
        else 'does not depend on it; add that dependency'
      end
    )
  into broken_constraint, problem
  from pgflow.contained_flows(refuse_open_failure_step.flow_slug) as contained (slug)
  join pgflow.steps as step on step.flow_slug = contained.slug and step.settings ? 'on_failure'
  left join pgflow.steps as failure_step
    on failure_step.flow_slug = step.flow_slug
    and failure_step.step_slug = step.settings ->> 'on_failure'
  where failure_step.step_slug is null
    or failure_step.step_type in ('map', 'join')
    or not exists (
      select from pgflow.deps as dep
      where dep.flow_slug = step.flow_slug
        and dep.dep_slug = step.step_slug
        and dep.step_slug = step.settings ->> 'on_failure'
    )
  order by step.flow_slug, step.step_index
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

comment on function pgflow.refuse_open_failure_step(text) is
  'Raises when a subflow step, here or further inside, goes on with a step that cannot follow it';

-- 0717_refuse_open_route.sql
create function pgflow.refuse_open_route(flow_slug text) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  problem text;
begin
  select
    case
      when target.step_slug is null then 'routes_lead_to_steps'
      else 'target_depends_on_what_leads_to_it'
    end,
    format(
      'step "%s" of flow "%s" leads to "%s", which %s',
      step.step_slug, step.flow_slug, route.target,
      case
        when target.step_slug is null then 'does not exist; add it'
        else 'does not depend on it; add that dependency'
      end
    )
  into broken_constraint, problem
  from pgflow.contained_flows(refuse_open_route.flow_slug) as contained (slug)
  join pgflow.steps as step
    on step.flow_slug = contained.slug and step.step_type in ('branch', 'loop')
  cross join lateral pgflow.routes_of(step) as route
  left join pgflow.steps as target
    on target.flow_slug = step.flow_slug and target.step_slug = route.target
  where not exists (
    select from pgflow.deps as dep
    where dep.flow_slug = step.flow_slug
      and dep.dep_slug = step.step_slug
      and dep.step_slug = route.target
  )
  order by step.flow_slug, step.step_index
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

comment on function pgflow.refuse_open_route(text) is
  'Raises when a branch or a loop of a flow, or of one that it contains, leads to no step behind it';

-- 0720_start_flow.sql
create function pgflow.start_flow(
  flow_slug text,
  input jsonb default null,
  run_id uuid default null
) returns pgflow.runs
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  wanted_run_id constant uuid := coalesce(start_flow.run_id, gen_random_uuid());
  flow pgflow.flows;
  version pgflow.flow_versions;
  run pgflow.runs;
  filled_input jsonb;
  problem text;
begin
  perform pgflow.refuse_foreign_flow(start_flow.flow_slug);
  -- Only where it can be there: of two serializable starts that look for runs, one must fail.
  if start_flow.run_id is not null then
    run := pgflow.run_started_as(wanted_run_id, start_flow.flow_slug, start_flow.input);
    if run.id is not null then
      return run;
    end if;
  end if;

  select existing.* into flow
  from pgflow.flows as existing
  where existing.flow_slug = start_flow.flow_slug
  for key share;
  if not found then
    perform pgflow.refuse_unknown_flow(start_flow.flow_slug);
  end if;
  perform pgflow.refuse_beyond_limits(
    start_flow.input, format('The input of flow "%s"', flow.flow_slug)
  );
  filled_input := pgflow.input_of_run(start_flow.input, flow.input_schema);
  if filled_input is distinct from start_flow.input then
    perform pgflow.refuse_beyond_limits(
      filled_input, format('The input of flow "%s", with its defaults,', flow.flow_slug)
    );
  end if;
  problem := pgflow.schema_problem(filled_input, flow.input_schema, flow.input_schema, 'input');
  if problem is not null then
    raise exception 'Flow "%" cannot start with this input: %.', flow.flow_slug, problem
      using errcode = 'invalid_parameter_value', constraint = 'input_fits_its_schema';
  end if;

  perform pgflow.refuse_open_failure_step(flow.flow_slug);
  perform pgflow.refuse_open_route(flow.flow_slug);

  -- Marks of other transactions are invisible: these are flows that this one has just changed.
  perform pgflow.publish_flow(unpublished.flow_slug) from pgflow.unpublished_flows as unpublished;
  version := pgflow.newest_version(flow.flow_slug);

  insert into pgflow.run_requests (run_id, flow_slug, version_id, input, asked_hash)
  values (
    wanted_run_id,
    flow.flow_slug,
    pgflow.watermark_of(flow.flow_slug),
    filled_input,
    pgflow.asked_hash(start_flow.input)
  )
  on conflict do nothing;
  if not found then
    -- Another session was first, and has committed meanwhile.
    return pgflow.run_started_as(wanted_run_id, flow.flow_slug, start_flow.input);
  end if;
  insert into pgflow.runs (run_id, flow_slug, flow_version, version_id, input)
  values (wanted_run_id, flow.flow_slug, version.version, version.version_id, filled_input)
  returning * into run;
  perform pg_notify('pgflow_runs', wanted_run_id::text);
  return run;
end
$$;

comment on function pgflow.start_flow(text, jsonb, uuid) is
  'Asks Dagster to run a flow, on the input laid over its defaults, and returns the queued run; the same run_id again starts nothing new';

-- 0730_child_trace.sql
-- What a step is told that goes on after a subflow failed, for any subrun: which of its steps
-- ended, in the order in which they began. Steps further inside are named by their paths.
create function pgflow.child_trace(subrun_id bigint)
returns table (step text, status text, duration_ms bigint, output jsonb, error text)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with recursive inside as (
    select subrun.subrun_id
    from pgflow.subruns as subrun
    where subrun.subrun_id = child_trace.subrun_id
    union all
    select nested.subrun_id
    from inside
    join pgflow.subruns as nested on nested.parent_subrun_id = inside.subrun_id
  ), around as (
    -- The steps of the iterations of a loop belong to the subrun too, further inside.
    select min(length(own.step_path) - length(own.step_slug)) as length
    from pgflow.step_states as own
    where own.subrun_id = child_trace.subrun_id
  )
  select
    substr(ended.step_path, around.length + 1),
    ended.status,
    coalesce(round(extract(epoch from tried.ended_at - tried.began_at) * 1000), 0)::bigint,
    case ended.status when 'completed' then ended.output end,
    case ended.status when 'failed' then ended.error_message end
  from inside
  join pgflow.step_states as ended on ended.subrun_id = inside.subrun_id
  cross join around
  cross join lateral (
    select
      min(task.started_at) as began_at,
      max(coalesce(task.completed_at, task.failed_at)) as ended_at
    from pgflow.step_tasks as task
    where task.run_id = ended.run_id
      and task.step_path = ended.step_path
      and task.status in ('completed', 'failed')
      and task.started_at is not null
  ) as tried
  where ended.status in ('completed', 'failed', 'skipped')
    -- For a loop the steps of its iterations count, of which the last one is the loop again.
    and (
      ended.step_type <> 'loop'
      or ended.step_path ~ concat('(^|\.)', ended.step_slug, '\[\d+\]\.', ended.step_slug, '$')
    )
    -- A subflow step speaks for itself only when it failed and nothing inside it did that was not
    -- caught there.
    and (
      ended.step_type <> 'subflow'
      or ended.status = 'failed' and not exists (
        select
        from pgflow.subruns as nested
        join pgflow.step_states as cause on cause.subrun_id = nested.subrun_id
        where nested.parent_subrun_id = inside.subrun_id
          and (
            starts_with(cause.step_path, concat(ended.step_path, '.'))
            or starts_with(cause.step_path, concat(ended.step_path, '['))
          )
          and cause.status = 'failed'
          and not exists (
            select
            from pgflow.event_log as failure
            where failure.run_id = cause.run_id
              and failure.event_type = 'step.failed'
              and failure.correlation_id = cause.step_path
              and failure.event_data ->> 'on_failure' is not null
          )
      )
    )
  order by tried.began_at, tried.ended_at, ended.skipped_at, ended.step_path collate "C";
$$;

comment on function pgflow.child_trace is
  'What the steps of a subrun did, in the order in which they began';

-- 0740_get_run_counter.sql
create function pgflow.get_run_counter(run_id uuid)
returns integer
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(
    (
      select snapshot.counter
      from pgflow.run_counter_snapshots as snapshot
      where snapshot.run_id = run.run_id
      order by snapshot.sequence_num desc
      limit 1
    ),
    -- A run that ended before Dagster had it never had a token.
    case when run.status not in ('queued', 'started') then 0 end
  )
  from pgflow.runs as run
  where run.run_id = get_run_counter.run_id
$$;

comment on function pgflow.get_run_counter(uuid) is
  'How many tokens of a run are left: 0 when and only when it is over, null before it is known';

-- 0741_is_run_complete.sql
create function pgflow.is_run_complete(run_id uuid)
returns boolean
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(pgflow.get_run_counter(run.run_id) = 0, false)
  from pgflow.runs as run
  where run.run_id = is_run_complete.run_id
$$;

comment on function pgflow.is_run_complete(uuid) is
  'Whether a run is over, however it ended; null when there is no such run';

-- 0742_run_path.sql
create function pgflow.run_path(run_id uuid)
returns table (
  from_node text,
  to_node text,
  taken_at timestamptz,
  sequence_num integer,
  after text
)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select
    event.event_data ->> 'from_node',
    event.event_data ->> 'to_node',
    event.timestamp,
    event.sequence_num,
    event.event_data ->> 'status'
  from pgflow.event_log as event
  where event.run_id = run_path.run_id
    and event.event_type = 'token.emitted'
    -- What was cancelled led nowhere.
    and event.event_data ->> 'status' is distinct from 'cancelled'
  order by event.sequence_num
$$;

comment on function pgflow.run_path(uuid) is
  'The edges that a run took, in order: from null at its begin, to null at its end';

-- 0900_role_rights.sql
-- What each role may do beyond reading the tables: the one list that make_roles grants and
-- `dagster-pgflow doctor` asks for.
create function pgflow.role_rights() returns table (role text, privileges text, kind text, name text)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
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
      ('run_path'), ('schedule_definitions'), ('seen_tenants'), ('step_definitions')
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
    ('author', 'insert, update, delete', 'table', 'flows'),
    ('author', 'insert, update, delete', 'table', 'steps'),
    ('author', 'insert, update, delete', 'table', 'deps'),
    ('author', 'insert, update, delete', 'table', 'schedules'),
    ('author', 'insert, update, delete', 'table', 'workflows'),
    ('author', 'insert, update, delete', 'table', 'workflow_steps'),
    ('author', 'insert, update, delete', 'table', 'workflow_step_dependencies_def'),
    ('worker', 'execute', 'function', 'refuse_run'),
    ('worker', 'update (allowed_tags)', 'table', 'store'),
    ('worker', 'update (handed_over_at, refused_at, refused_reason)', 'table', 'run_requests'),
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

comment on function pgflow.role_rights() is
  'What reader, starter, answerer, author and worker may do, one row a table or function';

-- 0910_make_roles.sql
create function pgflow.make_roles(prefix text default 'pgflow') returns setof text
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  duty text;
  role_name text;
  entry record;
begin
  if prefix collate "C" !~ '^[a-z_][a-z0-9_]{0,49}$' or starts_with(prefix, 'pg_') then
    raise exception 'The prefix of roles is "%"; write 1 to 50 small letters, digits and underscores, no digit and no "pg_" first.',
      prefix
      using errcode = 'invalid_parameter_value';
  end if;
  for duty in select distinct rights.role from pgflow.role_rights() as rights order by 1 loop
    role_name := prefix || '_' || duty;
    if not exists (select from pg_roles where rolname = role_name) then
      begin
        execute format('create role %I nologin', role_name);
      exception
        when insufficient_privilege then
          raise exception 'There is no role "%", and "%" may not make roles (CREATEROLE).',
            role_name, current_user
            using errcode = 'insufficient_privilege';
        when duplicate_object or unique_violation then
          null; -- Somebody made it meanwhile, for another database.
      end;
    end if;
    -- What an earlier version granted is taken back, so that the list below is all there is.
    execute format('revoke all on schema pgflow from %I', role_name);
    execute format('revoke all on all tables in schema pgflow from %I', role_name);
    execute format('revoke all on all functions in schema pgflow from %I', role_name);
    execute format('grant usage on schema pgflow to %I', role_name);
    for entry in
      select
        rights.privileges,
        case rights.kind
          when 'table' then format('table pgflow.%I', rights.name)
          else 'function ' || routine.oid::regprocedure
        end as object
      from pgflow.role_rights() as rights
      left join pg_proc as routine
        on rights.kind = 'function'
        and routine.pronamespace = 'pgflow'::regnamespace
        and routine.proname = rights.name
      where rights.role = duty
    loop
      execute format('grant %s on %s to %I', entry.privileges, entry.object, role_name);
    end loop;
    return next role_name;
  end loop;
end
$$;

comment on function pgflow.make_roles(text) is
  'Makes the roles <prefix>_reader, _starter, _answerer, _author and _worker, or brings their rights up to date; returns their names';

-- 0920_seen_tenants.sql
-- The role of the session decides, which a session cannot choose: a setting it could.
create function pgflow.seen_tenants() returns text[]
language sql
stable
security definer
set search_path to pg_catalog, pg_temp
as $$
  with caller (name) as (
    select case current_setting('role')
      when 'none' then session_user
      else current_setting('role')::name
    end
  )
  select coalesce(array_agg(seen.tenant), '{}')
  from (
    select listed.tenant
    from pgflow.tenants as listed
    join pg_roles as role on role.rolname = listed.role_name
    join caller on pg_has_role(caller.name, role.oid, 'usage')
    union
    select '*'
    from pg_namespace as schema
    join caller on pg_has_role(caller.name, schema.nspowner, 'usage')
    where schema.nspname = 'pgflow'
  ) as seen
$$;

comment on function pgflow.seen_tenants() is 'The tenants whose flows the user sees; * is every flow';

-- 0921_refuse_foreign_flow.sql
-- For the functions that run as the owner, whom row level security does not bind.
create function pgflow.refuse_foreign_flow(flow_slug text) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from pgflow.flows as flow
    join pg_class as isolated on isolated.oid = flow.tableoid and isolated.relrowsecurity
    where flow.flow_slug = refuse_foreign_flow.flow_slug
      and not array[flow.tags ->> 'tenant', '*'] && pgflow.seen_tenants()
  ) then
    raise exception 'Flow "%" belongs to another tenant.', flow_slug
      using errcode = 'insufficient_privilege';
  end if;
end
$$;

comment on function pgflow.refuse_foreign_flow(text) is
  'Raises when tenants are isolated, and the flow is none of the user''s';

-- 0922_keep_to_tenant.sql
create function pgflow.keep_to_tenant() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  seen constant text[] := pgflow.seen_tenants();
  own text;
begin
  if '*' = any (seen) then
    return coalesce(new, old);
  end if;
  if tg_op <> 'INSERT' then
    perform pgflow.refuse_foreign_flow(old.flow_slug);
    own := old.tags ->> 'tenant';
  elsif cardinality(seen) = 1 then
    own := seen[1];
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  if own is not null and not new.tags ? 'tenant' then
    new.tags := new.tags || jsonb_build_object('tenant', own);
  end if;
  if coalesce(new.tags ->> 'tenant', '*') <> all (seen) then
    raise exception 'Flow "%" needs the tag "tenant" with a tenant of yours: %.',
      new.flow_slug, coalesce(nullif(array_to_string(seen, ', '), ''), 'you have none')
      using errcode = 'insufficient_privilege';
  end if;
  return new;
end
$$;

create trigger flows_keep_to_their_tenant before insert or update or delete on pgflow.flows
for each row execute function pgflow.keep_to_tenant();

alter table pgflow.flows disable trigger flows_keep_to_their_tenant;

-- 0923_refuse_foreign_subflow.sql
create function pgflow.refuse_foreign_subflow() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  perform pgflow.refuse_foreign_flow(new.flow_slug);
  perform pgflow.refuse_foreign_flow(new.subflow_slug);
  return new;
end
$$;

create trigger subflows_are_of_a_tenant_that_one_sees before insert or update on pgflow.steps
for each row execute function pgflow.refuse_foreign_subflow();

alter table pgflow.steps disable trigger subflows_are_of_a_tenant_that_one_sees;

-- 0930_tenants_see_their_own.sql
-- Made here, and at work only once isolate_tenants() turns row level security on. A policy that asks
-- another table is bound by the policies of that one.
create policy tenants_see_their_own on pgflow.flows
using (array[tags ->> 'tenant', '*'] && (select pgflow.seen_tenants()));

create policy tenants_see_their_own on pgflow.flow_versions
using (array[definition #>> '{tags,tenant}', '*'] && (select pgflow.seen_tenants()));

create policy tenants_see_their_own on pgflow.steps
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.flows as flow where flow.flow_slug = steps.flow_slug)
);

create policy tenants_see_their_own on pgflow.deps
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.flows as flow where flow.flow_slug = deps.flow_slug)
);

create policy tenants_see_their_own on pgflow.schedules
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.flows as flow where flow.flow_slug = schedules.flow_slug)
);

create policy tenants_see_their_own on pgflow.runs
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (
    select
    from pgflow.flow_versions as pinned
    where pinned.flow_slug = runs.flow_slug and pinned.version = runs.flow_version
  )
);

create policy tenants_see_their_own on pgflow.run_requests
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = run_requests.run_id)
);

create policy tenants_see_their_own on pgflow.step_states
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = step_states.run_id)
);

create policy tenants_see_their_own on pgflow.step_tasks
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = step_tasks.run_id)
);

create policy tenants_see_their_own on pgflow.node_executions
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = node_executions.run_id)
);

create policy tenants_see_their_own on pgflow.event_log
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = event_log.run_id)
);

create policy tenants_see_their_own on pgflow.applied_keys
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = applied_keys.run_id)
);

create policy tenants_see_their_own on pgflow.run_counter_snapshots
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = run_counter_snapshots.run_id)
);

create policy tenants_see_their_own on pgflow.pending_tokens
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = pending_tokens.run_id)
);

create policy tenants_see_their_own on pgflow.loop_state
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = loop_state.run_id)
);

create policy tenants_see_their_own on pgflow.run_statistics
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = run_statistics.run_id)
);

create policy tenants_see_their_own on pgflow.worker_registry
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = worker_registry.run_id)
);

create policy tenants_see_their_own on pgflow.subruns
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.id = subruns.parent_run_id)
);

create policy only_who_sees_all on pgflow.step_outputs
using ('*' = any ((select pgflow.seen_tenants())::text[]));

create policy only_who_sees_all on pgflow.run_cursors
using ('*' = any ((select pgflow.seen_tenants())::text[]));

create policy only_who_sees_all on pgflow.projection_cursors
using ('*' = any ((select pgflow.seen_tenants())::text[]));

create policy only_who_sees_all on pgflow.unpublished_flows
using ('*' = any ((select pgflow.seen_tenants())::text[]));

-- 0931_isolate_tenants.sql
create function pgflow.isolate_tenants(isolated boolean default true) returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  relation record;
begin
  if current_setting('server_version_num')::integer < 150000 then
    raise exception 'Tenants can be isolated from PostgreSQL 15 on: before, a view shows what its owner sees.'
      using errcode = 'feature_not_supported';
  end if;
  for relation in
    select distinct policy.polrelid::regclass as name
    from pg_policy as policy
    join pg_class as kept on kept.oid = policy.polrelid
    where kept.relnamespace = 'pgflow'::regnamespace
  loop
    execute format(
      'alter table %s %s row level security',
      relation.name, case when isolated then 'enable' else 'disable' end
    );
  end loop;
  for relation in
    select shown.oid::regclass as name
    from pg_class as shown
    where shown.relnamespace = 'pgflow'::regnamespace and shown.relkind = 'v'
  loop
    execute format('alter view %s set (security_invoker = %s)', relation.name, isolated);
  end loop;
  if isolated then
    alter table pgflow.flows enable trigger flows_keep_to_their_tenant;
    alter table pgflow.steps enable trigger subflows_are_of_a_tenant_that_one_sees;
  else
    alter table pgflow.flows disable trigger flows_keep_to_their_tenant;
    alter table pgflow.steps disable trigger subflows_are_of_a_tenant_that_one_sees;
  end if;
  if isolated and not exists (select from pgflow.tenants where tenant = '*') then
    raise warning 'No role sees every tenant, and so no code location does, unless it is the owner: insert into pgflow.tenants values (''pgflow_worker'', ''*'').';
  end if;
end
$$;

comment on function pgflow.isolate_tenants(boolean) is
  'Shows each role only the flows of its tenants, and what came of them; false shows all again';

-- 0990_nothing_is_public.sql
-- PostgreSQL lets everybody execute a new function; each migration that makes one ends like this.
revoke all on all functions in schema pgflow from public;

-- Whoever may enter the schema may know what a right is called that is missing.
grant execute on function pgflow.role_rights() to public;
