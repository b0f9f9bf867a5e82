-- old code: works

set local check_function_bodies to off;

drop function pgflow.open_wait(uuid, text, text, text, text, text, text, jsonb, text[], text, text, double precision, double precision, integer[]);

drop function pgflow.create_flow(text, integer, integer, integer, integer, text, text, jsonb, jsonb, jsonb, integer, text, integer, boolean, integer, jsonb);

CREATE OR REPLACE FUNCTION pgflow.claim_deliveries(most integer) RETURNS SETOF pgflow.webhook_deliveries
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update pgflow.webhook_deliveries as known
  set status = 'given_up', ended_at = clock_timestamp(), error_message = 'Whoever sent it ended before it was known what came of it.'
  where known.status = 'pending' and known.due_at <= clock_timestamp() and known.attempts >= 15;
  return query
  with due as (
    -- The flows take turns: no webhook keeps those of others waiting.
    select
      known.delivery_id,
      known.due_at,
      row_number() over (partition by known.flow_slug order by known.due_at, known.delivery_id) as turn
    from pgflow.webhook_deliveries as known
    where known.status = 'pending' and known.due_at <= clock_timestamp()
  ),
  chosen as (
    select due.delivery_id from due order by due.turn, due.due_at, due.delivery_id limit most
  ),
  free as (
    select delivery.delivery_id
    from pgflow.webhook_deliveries as delivery
    join chosen using (delivery_id)
    where delivery.status = 'pending' and delivery.due_at <= clock_timestamp()
    for update of delivery skip locked
  )
  -- Who dies while it sends leaves it to whoever looks a minute later.
  update pgflow.webhook_deliveries as delivery
  set attempts = delivery.attempts + 1, due_at = clock_timestamp() + interval '1 minute'
  from free
  where delivery.delivery_id = free.delivery_id
  returning delivery.*;
end
$$;

alter table pgflow.flows add column opt_max_recoveries integer DEFAULT 3 NOT NULL;

alter table pgflow.flows add constraint opt_max_recoveries_is_nonnegative CHECK ((opt_max_recoveries >= 0));

COMMENT ON COLUMN pgflow.flows.opt_max_recoveries IS 'How often a run goes on by itself whose process was lost';

CREATE FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer, max_delay integer DEFAULT NULL::integer, jitter text DEFAULT NULL::text, description text DEFAULT ''::text, tags jsonb DEFAULT '{}'::jsonb, input_schema jsonb DEFAULT NULL::jsonb, output_schema jsonb DEFAULT NULL::jsonb, max_concurrent_runs integer DEFAULT NULL::integer, concurrency_key text DEFAULT NULL::text, max_concurrent_runs_per_key integer DEFAULT NULL::integer, merge_output boolean DEFAULT false, timeout_ms integer DEFAULT NULL::integer, on_event jsonb DEFAULT NULL::jsonb, max_recoveries integer DEFAULT NULL::integer) RETURNS pgflow.flows
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
      ('output schema', create_flow.output_schema),
      ('on_event', create_flow.on_event)
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
      merge_output, opt_timeout_ms, opt_on_event,
      opt_max_recoveries
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
      create_flow.timeout_ms,
      nullif(create_flow.on_event, 'null'),
      coalesce(create_flow.max_recoveries, 3)
    )
    on conflict do nothing
    returning * into flow;
    exit when found;
    -- Another session created it meanwhile, and may even have deleted it: look again.
  end loop;
  return flow;
end
$$;

COMMENT ON FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer, base_delay integer, timeout integer, max_delay integer, jitter text, description text, tags jsonb, input_schema jsonb, output_schema jsonb, max_concurrent_runs integer, concurrency_key text, max_concurrent_runs_per_key integer, merge_output boolean, timeout_ms integer, on_event jsonb, max_recoveries integer) IS 'Creates a flow, or returns the one that exists unchanged; nulls mean 3 attempts, 5 s, 60 s';

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
        'max_concurrent_runs_per_key', flow.opt_max_concurrent_runs_per_key,
        'on_event', flow.opt_on_event,
        'max_recoveries', nullif(flow.opt_max_recoveries, 3)
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

CREATE OR REPLACE FUNCTION pgflow.note_waiting_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- One that has lost its process goes on at once, and keeps its place.
  if exists (
    select
    from pgflow.run_continuations as recovery
    where recovery.run_id = new.run_id and recovery.kind = 'recover' and recovery.ended_at is null
  ) then
    return null;
  end if;
  update pgflow.run_requests as request
  set ended_at = clock_timestamp()
  where request.run_id = new.run_id and request.ended_at is null;
  -- What it waits for may have come before it waited, and there may be room for another run.
  perform pg_notify('pgflow_runs', new.run_id::text);
  return null;
end
$$;

CREATE FUNCTION pgflow.open_wait(run_id uuid, step_path text, kind text, flow_slug text, step_slug text, tenant text DEFAULT ''::text, prompt text DEFAULT ''::text, answer_schema jsonb DEFAULT NULL::jsonb, answerers text[] DEFAULT '{}'::text[], signal text DEFAULT NULL::text, key text DEFAULT NULL::text, seconds double precision DEFAULT NULL::double precision, until double precision DEFAULT NULL::double precision, reminders integer[] DEFAULT '{}'::integer[], dagster_run_id uuid DEFAULT NULL::uuid) RETURNS pgflow.waits
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- Who launches a run again from its page gives it the tags of that one, and no answer: it is
  -- another run.
  own_run constant uuid := case
    when exists (
      select
      from pgflow.runs as known
      where known.run_id = open_wait.run_id and known.dagster_run_id <> open_wait.dagster_run_id
    )
      then open_wait.dagster_run_id
    else open_wait.run_id
  end;
  own_key constant text := case
    when signal is not null then coalesce(key, own_run || '/' || step_path)
  end;
  opened constant timestamptz := clock_timestamp();
  wait pgflow.waits;
begin
  if signal is not null then
    perform pgflow.lock_signals(signal, own_key);
    perform pgflow.sweep_signals();
  end if;
  insert into pgflow.waits (
    run_id, step_path, kind, flow_slug, step_slug, tenant, prompt, answer_schema, answerers,
    signal, key, opened_at, due_at, reminders
  )
  values (
    own_run, open_wait.step_path, open_wait.kind, open_wait.flow_slug, open_wait.step_slug,
    open_wait.tenant, open_wait.prompt, open_wait.answer_schema, open_wait.answerers,
    open_wait.signal, own_key, opened,
    -- In a year that everybody can read.
    least(
      opened + make_interval(secs => open_wait.seconds),
      case
        when open_wait.until is not null
          then to_timestamp(least(greatest(open_wait.until, -62135596800), 253402300799))
      end
    ),
    open_wait.reminders
  )
  on conflict on constraint waits_run_id_step_path_key do nothing;
  select known.* into wait
  from pgflow.waits as known
  where known.run_id = own_run and known.step_path = open_wait.step_path
  for update;

  if wait.status = 'open' and exists (
    select from pgflow.runs as run
    where run.run_id = wait.run_id and run.status in ('completed', 'failed', 'cancelled')
  ) then
    wait := pgflow.close_wait(wait.wait_id, 'cancelled');
  end if;
  if wait.status = 'open' and wait.signal is not null then
    wait := pgflow.take_signal(wait);
  end if;
  if wait.status = 'open' and wait.due_at <= clock_timestamp() then
    wait := pgflow.close_wait(
      wait.wait_id, case wait.kind when 'sleep' then 'answered' else 'timed_out' end
    );
  end if;
  if wait.status <> 'open' and wait.taken_at is null then
    update pgflow.waits as told
    set taken_at = clock_timestamp()
    where told.wait_id = wait.wait_id
    returning told.* into wait;
  end if;
  return wait;
end
$$;

COMMENT ON FUNCTION pgflow.open_wait(run_id uuid, step_path text, kind text, flow_slug text, step_slug text, tenant text, prompt text, answer_schema jsonb, answerers text[], signal text, key text, seconds double precision, until double precision, reminders integer[], dagster_run_id uuid) IS 'Has a step wait, unless it does already, and says how that stands: whoever asks after the end has taken note of it';

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

CREATE FUNCTION pgflow.recover_run(run_id uuid, number integer) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  before integer;
begin
  perform pg_advisory_xact_lock(pgflow.lock_of_continuations(recover_run.run_id));
  select count(*) into before
  from pgflow.run_continuations as earlier
  where earlier.run_id = recover_run.run_id
    and earlier.kind = 'recover'
    and earlier.number < recover_run.number;
  insert into pgflow.run_continuations (run_id, number, kind, not_before)
  values (
    recover_run.run_id,
    recover_run.number,
    'recover',
    case when before > 0 then
      clock_timestamp() + make_interval(secs => least(10 * power(6, least(before, 5) - 1), 600))
    end
  )
  on conflict do nothing;
  if not found then
    return false;
  end if;
  perform pg_notify('pgflow_runs', recover_run.run_id::text);
  return true;
end
$$;

COMMENT ON FUNCTION pgflow.recover_run(run_id uuid, number integer) IS 'Has a run go on that has lost its process, in its Dagster run of this number, counted behind the first; false where that is seen to already';

CREATE OR REPLACE FUNCTION pgflow.refuse_unanswerable(run_id uuid, step_path text, wait pgflow.waits) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  place constant text := format('Step "%s" of run %s', left(step_path, 500), run_id);
  run pgflow.runs;
  others text;
begin
  select known.* into run from pgflow.runs as known where known.run_id = refuse_unanswerable.run_id;
  if wait.wait_id is null and run.run_id is null then
    raise exception 'There is no run %.', coalesce(run_id::text, 'without an id')
      using errcode = 'no_data_found';
  elsif wait.status = 'answered' and wait.kind <> 'sleep' then
    raise exception '% was answered before, by % at % UTC, and the first answer counts.',
      place, wait.answered_by, to_char(wait.closed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
      using errcode = 'object_not_in_prerequisite_state', constraint = 'the_first_answer_counts';
  elsif wait.status = 'cancelled' or run.status in ('completed', 'failed', 'cancelled') then
    raise exception '% takes no answer any more: the run is %.',
      place, case when run.status in ('completed', 'failed') then run.status else 'cancelled' end
      using errcode = 'object_not_in_prerequisite_state', constraint = 'what_is_over_has_no_answer';
  elsif wait.wait_id is null then
    select string_agg(format('"%s"', open.step_path), ', ' order by open.opened_at, open.step_path) into others
    from (
      select one.step_path, one.opened_at
      from pgflow.waits as one
      where one.run_id = run.run_id and one.status = 'open' and one.kind <> 'sleep'
      order by one.opened_at, one.step_path
      limit 20
    ) as open;
    raise exception '% does not wait for an answer; %.',
      place, coalesce('what does: ' || others, 'no step of this run does')
      using errcode = 'no_data_found';
  elsif wait.kind = 'sleep' then
    raise exception '% sleeps until % UTC, and no answer wakes it.',
      place, to_char(wait.due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
      using errcode = 'object_not_in_prerequisite_state', constraint = 'a_sleep_has_no_answer';
  elsif wait.status = 'timed_out' or wait.due_at <= clock_timestamp() then
    raise exception '% could be answered until % UTC, and that is over.',
      place, to_char(wait.due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
      using errcode = 'object_not_in_prerequisite_state', constraint = 'a_deadline_counts';
  end if;
end
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
    opt_on_event = nullif(definition #> '{options,on_event}', 'null'),
    opt_max_recoveries = coalesce((definition #>> '{options,max_recoveries}')::integer, 3),
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

CREATE OR REPLACE FUNCTION pgflow.sweep_signals() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  delete from pgflow.signals as expired
  where expired.signal_id in (
    select old.signal_id
    from pgflow.signals as old
    where old.expires_at <= statement_timestamp() and not old.is_unmatched
    order by old.expires_at, old.signal_id
    limit 100
    for update skip locked
  )
$$;

REVOKE ALL ON FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer, base_delay integer, timeout integer, max_delay integer, jitter text, description text, tags jsonb, input_schema jsonb, output_schema jsonb, max_concurrent_runs integer, concurrency_key text, max_concurrent_runs_per_key integer, merge_output boolean, timeout_ms integer, on_event jsonb, max_recoveries integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.open_wait(run_id uuid, step_path text, kind text, flow_slug text, step_slug text, tenant text, prompt text, answer_schema jsonb, answerers text[], signal text, key text, seconds double precision, until double precision, reminders integer[], dagster_run_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.recover_run(run_id uuid, number integer) FROM PUBLIC;
