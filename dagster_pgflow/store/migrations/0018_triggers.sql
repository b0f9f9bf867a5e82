-- old code: works

set local check_function_bodies to off;

CREATE FUNCTION pgflow.check_trigger() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  target pgflow.flows;
  source pgflow.flows;
begin
  if tg_op = 'UPDATE' then
    perform pgflow.refuse_foreign_flow(old.target_flow);
  end if;
  perform pgflow.refuse_unless_slug(new.name, 'trigger', 'trigger_name_is_valid');
  perform pgflow.refuse_foreign_flow(new.target_flow);
  perform pgflow.refuse_foreign_flow(new.source_flow);
  select flow.* into target from pgflow.flows as flow where flow.flow_slug = new.target_flow;
  if not found then
    perform pgflow.refuse_unknown_flow(new.target_flow, 'triggers_target_flow_fkey');
  end if;
  if new.source_flow is not null then
    select flow.* into source from pgflow.flows as flow where flow.flow_slug = new.source_flow;
    if not found then
      perform pgflow.refuse_unknown_flow(new.source_flow, 'triggers_source_flow_fkey');
    elsif source.tags ->> 'tenant' is distinct from target.tags ->> 'tenant' then
      raise exception 'Trigger "%" leads from flow "%" to flow "%" of another tenant; a trigger stays within one.',
        new.name, new.source_flow, new.target_flow
        using errcode = 'insufficient_privilege';
    elsif new.source_flow = new.target_flow and new.condition is null then
      raise exception 'Trigger "%" lets flow "%" start itself again and again; give it a condition that some day does not hold.',
        new.name, new.target_flow
        using
          errcode = 'check_violation',
          constraint = 'no_flow_starts_itself_for_ever',
          detail = pgflow.problem_code('no_flow_starts_itself_for_ever');
    end if;
  end if;
  -- Assets are Dagster's, and of no tenant.
  if new.on_event = 'asset.materialized' then
    perform pgflow.refuse_unless_all_is_seen('look at assets');
  end if;
  new.input := nullif(new.input::jsonb, 'null');
  new.active_since := clock_timestamp();
  if tg_op = 'UPDATE' then
    if
      (old.on_event, old.source_flow, old.asset_key, old.signal_name, old.target_flow)
        is not distinct from
        (new.on_event, new.source_flow, new.asset_key, new.signal_name, new.target_flow)
      and (old.enabled or not new.enabled)
    then
      new.active_since := old.active_since;
    end if;
  end if;
  return new;
end
$$;

COMMENT ON FUNCTION pgflow.check_trigger() IS 'Refuses a trigger between tenants, to nowhere, or of a flow by itself without a condition';

CREATE TABLE pgflow.triggers (
    trigger_id bigint NOT NULL,
    name text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    on_event text NOT NULL,
    source_flow text,
    asset_key text,
    signal_name text,
    target_flow text NOT NULL,
    condition text,
    input pgflow.json_within_limits,
    active_since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT events_of_assets_name_an_asset CHECK (((COALESCE(asset_key, ''::text) <> ''::text) = (on_event = 'asset.materialized'::text))),
    CONSTRAINT names_of_events_are_short CHECK (((octet_length(asset_key) <= 1000) AND (octet_length(signal_name) <= 1000))),
    CONSTRAINT on_event_is_valid CHECK ((on_event = ANY (ARRAY['run.completed'::text, 'run.failed'::text, 'run.cancelled'::text, 'asset.materialized'::text, 'signal'::text]))),
    CONSTRAINT only_events_of_runs_have_a_source_flow CHECK (((source_flow IS NULL) OR (on_event = ANY (ARRAY['run.completed'::text, 'run.failed'::text, 'run.cancelled'::text])))),
    CONSTRAINT signals_are_named CHECK (((COALESCE(signal_name, ''::text) <> ''::text) = (on_event = 'signal'::text))),
    CONSTRAINT trigger_condition_is_not_empty CHECK ((condition ~ '\S'::text)),
    CONSTRAINT trigger_name_is_valid CHECK (pgflow.is_valid_slug(name))
);

COMMENT ON TABLE pgflow.triggers IS 'What starts flows: the ends of runs, assets and signals';

COMMENT ON COLUMN pgflow.triggers.source_flow IS 'The flow whose runs are meant; null is every other flow of the same tenant';

COMMENT ON COLUMN pgflow.triggers.asset_key IS 'The asset, as Dagster shows its key: a/b';

COMMENT ON COLUMN pgflow.triggers.condition IS 'CEL over event; without one each event counts';

COMMENT ON COLUMN pgflow.triggers.input IS 'The input of the run, in which $event.x stands for a part of the event; null is the whole event';

COMMENT ON COLUMN pgflow.triggers.active_since IS 'Since when it looks at events; what happened before starts nothing';

CREATE FUNCTION pgflow.closes_circle(closing pgflow.triggers) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select closing.enabled
    and closing.condition is null
    and closing.on_event in ('run.completed', 'run.failed', 'run.cancelled')
    and exists (
      select
      from pgflow.flows_led_to(closing.target_flow) as led_to (flow_slug)
      where coalesce(
        led_to.flow_slug = closing.source_flow, led_to.flow_slug <> closing.target_flow
      )
    )
$$;

COMMENT ON FUNCTION pgflow.closes_circle(closing pgflow.triggers) IS 'Whether triggers without a condition lead from what a trigger starts back to what starts it';

CREATE FUNCTION pgflow.create_trigger(name text, on_event text, target_flow text, source_flow text DEFAULT NULL::text, asset_key text DEFAULT NULL::text, signal_name text DEFAULT NULL::text, condition text DEFAULT NULL::text, input jsonb DEFAULT NULL::jsonb, enabled boolean DEFAULT true) RETURNS pgflow.triggers
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  made pgflow.triggers;
begin
  perform pgflow.refuse_foreign_flow(create_trigger.target_flow);
  perform pgflow.refuse_beyond_limits(
    create_trigger.input, format('The input of trigger "%s"', create_trigger.name)
  );
  insert into pgflow.triggers (
    name, on_event, target_flow, source_flow, asset_key, signal_name, condition, input, enabled
  )
  values (
    create_trigger.name,
    create_trigger.on_event,
    create_trigger.target_flow,
    create_trigger.source_flow,
    create_trigger.asset_key,
    create_trigger.signal_name,
    create_trigger.condition,
    create_trigger.input,
    coalesce(create_trigger.enabled, true)
  )
  on conflict on constraint triggers_name_key do nothing
  returning * into made;
  if found then
    return made;
  end if;
  select known.* into made
  from pgflow.triggers as known
  where known.name = create_trigger.name
    and (
      known.on_event, known.target_flow, known.source_flow, known.asset_key, known.signal_name,
      known.condition, known.input
    ) is not distinct from (
      create_trigger.on_event, create_trigger.target_flow, create_trigger.source_flow,
      create_trigger.asset_key, create_trigger.signal_name, create_trigger.condition,
      nullif(create_trigger.input, 'null')
    );
  if not found then
    raise exception 'Trigger "%" already exists and is another one; delete it first, or take another name.',
      create_trigger.name
      using
        errcode = 'unique_violation',
        constraint = 'triggers_name_key',
        detail = pgflow.problem_code('triggers_name_key');
  end if;
  return made;
end
$$;

COMMENT ON FUNCTION pgflow.create_trigger(name text, on_event text, target_flow text, source_flow text, asset_key text, signal_name text, condition text, input jsonb, enabled boolean) IS 'Has a flow started by what happens; returns the trigger, the one that exists where it is the same';

CREATE OR REPLACE FUNCTION pgflow.delete_flow(flow_slug text, force boolean DEFAULT false, with_runs boolean DEFAULT false) RETURNS pgflow.flows
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
  where run.flow_slug = flow.flow_slug and run.status in ('queued', 'started', 'waiting');

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
    perform pgflow.refuse_to_lose_triggers(flow.flow_slug);
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

CREATE FUNCTION pgflow.delete_trigger(name text) RETURNS pgflow.triggers
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  doomed constant pgflow.triggers := pgflow.named_trigger(delete_trigger.name);
begin
  delete from pgflow.triggers as existing where existing.trigger_id = doomed.trigger_id;
  return doomed;
end
$$;

COMMENT ON FUNCTION pgflow.delete_trigger(name text) IS 'Deletes a trigger; what it has started goes on, and what it made of events stays known';

CREATE FUNCTION pgflow.enable_trigger(name text, enabled boolean DEFAULT true) RETURNS pgflow.triggers
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  changed pgflow.triggers := pgflow.named_trigger(enable_trigger.name);
begin
  update pgflow.triggers as existing
  set enabled = coalesce(enable_trigger.enabled, true)
  where existing.trigger_id = changed.trigger_id
  returning existing.* into changed;
  return changed;
end
$$;

COMMENT ON FUNCTION pgflow.enable_trigger(name text, enabled boolean) IS 'Turns a trigger on or off; it starts nothing for what happened while it was off';

CREATE FUNCTION pgflow.event_of(event_id bigint) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(
    event.content,
    jsonb_build_object(
      'type', event.type,
      'run_id', run.run_id,
      'flow', run.flow_slug,
      'status', substr(event.type, 5),
      'input', run.input,
      'output', run.output,
      'error', run.error_message,
      'started_at', to_char(run.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'ended_at', to_char(event.happened_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    )
  )
  from pgflow.trigger_events as event
  left join pgflow.runs as run on run.run_id = event.run_id
  where event.event_id = event_of.event_id and (event.content is not null or run.id is not null)
$$;

COMMENT ON FUNCTION pgflow.event_of(event_id bigint) IS 'An event as triggers see it; null when the run was deleted that it tells of';

CREATE FUNCTION pgflow.fire_trigger(trigger_id bigint, event_id bigint, input jsonb DEFAULT NULL::jsonb) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  most_depth constant integer := 100;
  waiting pgflow.trigger_outcomes;
  firing pgflow.triggers;
  event pgflow.trigger_events;
  run pgflow.runs;
  given jsonb;
  depth integer;
  verdict text := 'failed';
  why text;
begin
  select outcome.* into waiting
  from pgflow.trigger_outcomes as outcome
  where outcome.trigger_id = fire_trigger.trigger_id and outcome.event_id = fire_trigger.event_id
  for update;
  if waiting.outcome is distinct from 'pending' then
    return waiting.outcome;
  end if;
  select known.* into event
  from pgflow.trigger_events as known
  where known.event_id = waiting.event_id;
  select existing.* into firing
  from pgflow.triggers as existing
  where existing.trigger_id = waiting.trigger_id;
  perform pgflow.refuse_foreign_flow(firing.target_flow);
  given := coalesce(fire_trigger.input, pgflow.event_of(event.event_id));
  select coalesce(max(request.trigger_depth), 0) + 1 into depth
  from pgflow.run_requests as request
  where request.run_id = event.run_id;
  if firing.enabled is not true then
    verdict := 'dropped';
    why := format(
      'The trigger was %s before it looked at this event.',
      case when firing.trigger_id is null then 'deleted' else 'turned off' end
    );
  elsif given is null then
    why := format('Run %s was deleted before the trigger looked at its end.', event.run_id);
  elsif depth > most_depth then
    verdict := 'refused';
    why := format(
      'This would be run %s of a chain in which each run was started by a trigger at the end of the one before; a chain ends after %s.',
      depth, most_depth
    );
  else
    begin
      run := pgflow.start_flow(
        firing.target_flow,
        given,
        pgflow.run_of_trigger(waiting.trigger_id, event.type, event.source)
      );
      update pgflow.run_requests as request
      set trigger_depth = depth
      where request.run_id = run.run_id;
      verdict := 'fired';
    exception
      when others then
        -- What passes says nothing of the trigger: it is tried again.
        if left(sqlstate, 2) in ('08', '25', '40', '53', '55', '57', '58', 'XX') then
          raise;
        end if;
        run := null;
        why := sqlerrm;
    end;
  end if;
  update pgflow.trigger_outcomes as outcome
  set outcome = verdict, run_id = run.run_id, reason = why, decided_at = clock_timestamp()
  where outcome.trigger_id = waiting.trigger_id and outcome.event_id = waiting.event_id;
  return verdict;
end
$$;

COMMENT ON FUNCTION pgflow.fire_trigger(trigger_id bigint, event_id bigint, input jsonb) IS 'Starts what a trigger starts at an event, with this input or the whole event, once; returns the outcome';

CREATE FUNCTION pgflow.flows_led_to(flow_slug text) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with recursive led_to (flow_slug) as (
    select flows_led_to.flow_slug
    union
    select edge.target_flow
    from led_to
    join pgflow.flows as source on source.flow_slug = led_to.flow_slug
    join pgflow.triggers as edge
      on edge.enabled
      and edge.condition is null
      and edge.on_event in ('run.completed', 'run.failed', 'run.cancelled')
      and coalesce(edge.source_flow = led_to.flow_slug, edge.target_flow <> led_to.flow_slug)
    join pgflow.flows as target
      on target.flow_slug = edge.target_flow
      and target.tags ->> 'tenant' is not distinct from source.tags ->> 'tenant'
  )
  select led_to.flow_slug from led_to
$$;

COMMENT ON FUNCTION pgflow.flows_led_to(flow_slug text) IS 'The flows that triggers without a condition start, one after the other, from a flow on; with it';

CREATE FUNCTION pgflow.named_trigger(name text) RETURNS pgflow.triggers
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  named pgflow.triggers;
begin
  select known.* into named
  from pgflow.triggers as known
  where known.name = named_trigger.name
  for update;
  if not found then
    raise exception 'There is no trigger "%"; look for its name in pgflow.triggers.',
      coalesce(named_trigger.name, 'null')
      using errcode = 'undefined_object', constraint = 'trigger_exists';
  end if;
  perform pgflow.refuse_foreign_flow(named.target_flow);
  return named;
end
$$;

COMMENT ON FUNCTION pgflow.named_trigger(name text) IS 'The trigger of a name, held for a change; raises when there is none, or it is another tenant''s';

CREATE FUNCTION pgflow.note_asset_events(events jsonb) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  given jsonb;
  queued integer := 0;
begin
  perform pgflow.refuse_unless_all_is_seen('say that assets were materialized');
  for given in select element.value from jsonb_array_elements(events) as element (value) loop
    queued := queued + pgflow.queue_triggers(
      'asset.materialized',
      given ->> 'source',
      to_timestamp((given ->> 'timestamp')::double precision),
      given #>> '{event,asset_key}',
      null,
      (
        select run.run_id
        from pgflow.runs as run
        where run.dagster_run_id::text = given #>> '{event,run_id}'
      ),
      given -> 'event'
    );
  end loop;
  return queued;
end
$$;

COMMENT ON FUNCTION pgflow.note_asset_events(events jsonb) IS 'Queues materializations of assets for the triggers that name these; returns how many have one to look at';

CREATE FUNCTION pgflow.note_event_of_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  event_type constant text := 'run.' || new.status;
  tenant text;
begin
  if not exists (
    select
    from pgflow.triggers as listening
    where listening.enabled and listening.on_event = event_type
  ) then
    return null;
  end if;
  begin
    select pinned.definition #>> '{tags,tenant}' into tenant
    from pgflow.flow_versions as pinned
    where pinned.flow_slug = new.flow_slug and pinned.version = new.flow_version;
    if not found then
      select flow.tags ->> 'tenant' into tenant
      from pgflow.flows as flow
      where flow.flow_slug = new.flow_slug;
    end if;
    perform pgflow.queue_triggers(
      event_type,
      new.run_id::text,
      coalesce(new.completed_at, new.failed_at, clock_timestamp()),
      new.flow_slug,
      array[coalesce(tenant, '')],
      new.run_id,
      null
    );
  exception
    when others then
      -- Whatever is wrong with triggers, the run has ended.
      raise warning 'No trigger learns of the end of run %: %', new.run_id, sqlerrm;
  end;
  return null;
end
$$;

COMMENT ON FUNCTION pgflow.note_event_of_run() IS 'Queues the end of a run for the triggers that it concerns, and never keeps it from ending';

CREATE FUNCTION pgflow.note_signal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform pgflow.queue_triggers(
    'signal',
    new.signal_id::text,
    clock_timestamp(),
    new.name,
    new.tenants,
    null,
    jsonb_build_object(
      'type', 'signal', 'name', new.name, 'key', new.key, 'payload', new.payload
    )
  );
  return null;
end
$$;

COMMENT ON FUNCTION pgflow.note_signal() IS 'Queues a signal for the triggers that name it, whoever else waits for it';

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

CREATE FUNCTION pgflow.queue_triggers(event_type text, event_source text, happened_at timestamp with time zone, about text, tenants text[], run_id uuid, content jsonb) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  concerned bigint[];
  noted bigint;
  queued integer;
begin
  select array_agg(listening.trigger_id) into concerned
  from pgflow.triggers as listening
  join pgflow.flows as target on target.flow_slug = listening.target_flow
  where listening.enabled
    and listening.on_event = queue_triggers.event_type
    and listening.active_since <= queue_triggers.happened_at
    and case listening.on_event
      when 'asset.materialized' then listening.asset_key = queue_triggers.about
      when 'signal' then
        listening.signal_name = queue_triggers.about
        and array[coalesce(target.tags ->> 'tenant', ''), '*'] && queue_triggers.tenants
      else
        coalesce(
          listening.source_flow = queue_triggers.about,
          listening.target_flow <> queue_triggers.about
        )
        and array[coalesce(target.tags ->> 'tenant', '')] = queue_triggers.tenants
    end;
  if concerned is null then
    return 0;
  end if;
  insert into pgflow.trigger_events (type, source, run_id, content, happened_at)
  values (
    event_type, event_source, queue_triggers.run_id, queue_triggers.content,
    queue_triggers.happened_at
  )
  on conflict on constraint each_event_is_noted_once do nothing
  returning event_id into noted;
  if noted is null then
    select known.event_id into noted
    from pgflow.trigger_events as known
    where known.type = queue_triggers.event_type and known.source = queue_triggers.event_source;
  end if;
  insert into pgflow.trigger_outcomes (trigger_id, event_id, trigger_name)
  select listening.trigger_id, noted, listening.name
  from pgflow.triggers as listening
  where listening.trigger_id = any (concerned)
  order by listening.trigger_id
  on conflict on constraint trigger_outcomes_pkey do nothing;
  get diagnostics queued = row_count;
  if queued > 0 then
    perform pg_notify('pgflow_runs', noted::text);
  end if;
  return queued;
end
$$;

COMMENT ON FUNCTION pgflow.queue_triggers(event_type text, event_source text, happened_at timestamp with time zone, about text, tenants text[], run_id uuid, content jsonb) IS 'Notes an event for the triggers that it concerns, and returns how many have it to look at; the same event again is none';

CREATE FUNCTION pgflow.refuse_to_lose_triggers(flow_slug text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  started text;
begin
  select string_agg(distinct format('"%s" (trigger "%s")', listening.target_flow, listening.name), ', ')
  into started
  from pgflow.triggers as listening
  where listening.source_flow = refuse_to_lose_triggers.flow_slug
    and listening.target_flow <> refuse_to_lose_triggers.flow_slug;
  if started is not null then
    raise exception 'The ends of runs of flow "%" start %; delete the triggers first, or delete with force => true.',
      flow_slug, started
      using errcode = 'dependent_objects_still_exist';
  end if;
end
$$;

COMMENT ON FUNCTION pgflow.refuse_to_lose_triggers(flow_slug text) IS 'Raises when triggers start other flows at the end of a flow''s runs, and would go with it';

CREATE FUNCTION pgflow.refuse_unless_all_is_seen(deed text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if '*' <> all (pgflow.seen_tenants()) and (
    select isolated.relrowsecurity from pg_class as isolated
    where isolated.oid = 'pgflow.flows'::regclass
  ) then
    raise exception 'Only who sees every tenant may %.', deed
      using errcode = 'insufficient_privilege';
  end if;
end
$$;

COMMENT ON FUNCTION pgflow.refuse_unless_all_is_seen(deed text) IS 'Raises when tenants are isolated, and the user does not see all of them';

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
      ('is_run_complete'), ('is_valid_slug'), ('json_field'), ('json_problem'), ('newest_version'),
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

CREATE FUNCTION pgflow.run_of_trigger(trigger_id bigint, event_type text, event_source text) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select encode(
    substr(
      sha256(convert_to(concat_ws(' ', 'trigger', trigger_id, event_type, event_source), 'UTF8')), 1, 16
    ),
    'hex'
  )::uuid
$$;

COMMENT ON FUNCTION pgflow.run_of_trigger(trigger_id bigint, event_type text, event_source text) IS 'The id of the run that a trigger starts for an event: always the same one';

CREATE FUNCTION pgflow.warn_of_circle() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if pgflow.closes_circle(new) then
    raise warning 'Trigger "%" closes a circle: what it starts leads back to it, without any condition. It ends after 100 runs; give one of these triggers a condition.',
      new.name;
  end if;
  return null;
end
$$;

COMMENT ON FUNCTION pgflow.warn_of_circle() IS 'Warns of triggers that start each other for ever';

CREATE TABLE pgflow.asset_cursors (
    asset_key text NOT NULL,
    storage_id bigint,
    looked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE pgflow.asset_cursors IS 'How far Dagster''s log is read, of each asset that triggers name';

COMMENT ON COLUMN pgflow.asset_cursors.storage_id IS 'The entry up to which all is noted; null while there is none';

alter table pgflow.run_requests add column trigger_depth integer DEFAULT 0 NOT NULL;

COMMENT ON COLUMN pgflow.run_requests.trigger_depth IS 'How many triggers led to it, each by the run before; 0 where nobody but a caller asked';

CREATE TABLE pgflow.trigger_events (
    event_id bigint NOT NULL,
    type text NOT NULL,
    source text NOT NULL,
    run_id uuid,
    content jsonb,
    happened_at timestamp with time zone NOT NULL,
    noted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE pgflow.trigger_events IS 'What happened that some trigger was to look at';

COMMENT ON COLUMN pgflow.trigger_events.source IS 'What tells it from all others of its type: the run, the entry in Dagster''s log, the signal';

COMMENT ON COLUMN pgflow.trigger_events.run_id IS 'The run that ended, or in which it happened, as far as that is known';

COMMENT ON COLUMN pgflow.trigger_events.content IS 'The event; null for the end of a run, of which all is in pgflow.runs';

ALTER TABLE pgflow.trigger_events ALTER COLUMN event_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pgflow.trigger_events_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE pgflow.trigger_outcomes (
    trigger_id bigint NOT NULL,
    event_id bigint NOT NULL,
    trigger_name text NOT NULL,
    outcome text DEFAULT 'pending'::text NOT NULL,
    run_id uuid,
    reason text,
    queued_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    decided_at timestamp with time zone,
    CONSTRAINT trigger_outcome_is_valid CHECK ((outcome = ANY (ARRAY['pending'::text, 'fired'::text, 'not_met'::text, 'failed'::text, 'refused'::text, 'dropped'::text]))),
    CONSTRAINT what_fired_has_a_run CHECK (((outcome = 'fired'::text) = (run_id IS NOT NULL)))
);

COMMENT ON TABLE pgflow.trigger_outcomes IS 'What each trigger made of each event; those that are pending wait to be looked at';

COMMENT ON COLUMN pgflow.trigger_outcomes.outcome IS 'fired: a run was asked for; not_met: the condition does not hold; failed: it could not be decided or started; refused: the chain is too long; dropped: the trigger was off or gone';

COMMENT ON COLUMN pgflow.trigger_outcomes.run_id IS 'The run that was asked for';

ALTER TABLE pgflow.triggers ALTER COLUMN trigger_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pgflow.triggers_trigger_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY pgflow.asset_cursors
    ADD CONSTRAINT asset_cursors_pkey PRIMARY KEY (asset_key);

ALTER TABLE ONLY pgflow.trigger_events
    ADD CONSTRAINT each_event_is_noted_once UNIQUE (type, source);

ALTER TABLE ONLY pgflow.trigger_events
    ADD CONSTRAINT trigger_events_pkey PRIMARY KEY (event_id);

ALTER TABLE ONLY pgflow.trigger_outcomes
    ADD CONSTRAINT trigger_outcomes_pkey PRIMARY KEY (trigger_id, event_id);

ALTER TABLE ONLY pgflow.triggers
    ADD CONSTRAINT triggers_name_key UNIQUE (name);

ALTER TABLE ONLY pgflow.triggers
    ADD CONSTRAINT triggers_pkey PRIMARY KEY (trigger_id);

CREATE INDEX trigger_outcomes_by_event ON pgflow.trigger_outcomes USING btree (event_id);

CREATE INDEX trigger_outcomes_pending ON pgflow.trigger_outcomes USING btree (event_id, trigger_id) WHERE (outcome = 'pending'::text);

CREATE INDEX triggers_by_event ON pgflow.triggers USING btree (on_event) WHERE enabled;

CREATE INDEX triggers_by_source_flow ON pgflow.triggers USING btree (source_flow);

CREATE INDEX triggers_by_target_flow ON pgflow.triggers USING btree (target_flow);

CREATE TRIGGER circles_of_triggers_are_told AFTER INSERT OR UPDATE ON pgflow.triggers FOR EACH ROW EXECUTE FUNCTION pgflow.warn_of_circle();

CREATE TRIGGER run_is_an_event AFTER INSERT OR UPDATE OF status ON pgflow.runs FOR EACH ROW WHEN ((new.status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text]))) EXECUTE FUNCTION pgflow.note_event_of_run();

CREATE TRIGGER signal_is_an_event AFTER INSERT ON pgflow.signals FOR EACH ROW EXECUTE FUNCTION pgflow.note_signal();

CREATE TRIGGER triggers_are_checked BEFORE INSERT OR UPDATE ON pgflow.triggers FOR EACH ROW EXECUTE FUNCTION pgflow.check_trigger();

ALTER TABLE ONLY pgflow.trigger_outcomes
    ADD CONSTRAINT trigger_outcomes_event_id_fkey FOREIGN KEY (event_id) REFERENCES pgflow.trigger_events(event_id) ON DELETE CASCADE;

ALTER TABLE ONLY pgflow.triggers
    ADD CONSTRAINT triggers_source_flow_fkey FOREIGN KEY (source_flow) REFERENCES pgflow.flows(flow_slug) ON DELETE CASCADE;

ALTER TABLE ONLY pgflow.triggers
    ADD CONSTRAINT triggers_target_flow_fkey FOREIGN KEY (target_flow) REFERENCES pgflow.flows(flow_slug) ON DELETE CASCADE;

CREATE POLICY only_who_sees_all ON pgflow.asset_cursors USING (('*'::text = ANY (( SELECT pgflow.seen_tenants() AS seen_tenants)::text[])));

CREATE POLICY tenants_see_their_own ON pgflow.trigger_events USING ((('*'::text = ANY (( SELECT pgflow.seen_tenants() AS seen_tenants)::text[])) OR (EXISTS ( SELECT
   FROM pgflow.trigger_outcomes outcome
  WHERE (outcome.event_id = trigger_events.event_id)))));

CREATE POLICY tenants_see_their_own ON pgflow.trigger_outcomes USING ((('*'::text = ANY (( SELECT pgflow.seen_tenants() AS seen_tenants)::text[])) OR (EXISTS ( SELECT
   FROM pgflow.triggers listening
  WHERE (listening.trigger_id = trigger_outcomes.trigger_id)))));

CREATE POLICY tenants_see_their_own ON pgflow.triggers USING ((('*'::text = ANY (( SELECT pgflow.seen_tenants() AS seen_tenants)::text[])) OR (EXISTS ( SELECT
   FROM pgflow.flows flow
  WHERE (flow.flow_slug = triggers.target_flow)))));

REVOKE ALL ON FUNCTION pgflow.check_trigger() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.closes_circle(closing pgflow.triggers) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.create_trigger(name text, on_event text, target_flow text, source_flow text, asset_key text, signal_name text, condition text, input jsonb, enabled boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.delete_trigger(name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.enable_trigger(name text, enabled boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.event_of(event_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.fire_trigger(trigger_id bigint, event_id bigint, input jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.flows_led_to(flow_slug text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.named_trigger(name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.note_asset_events(events jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.note_event_of_run() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.note_signal() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.queue_triggers(event_type text, event_source text, happened_at timestamp with time zone, about text, tenants text[], run_id uuid, content jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.refuse_to_lose_triggers(flow_slug text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.refuse_unless_all_is_seen(deed text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.run_of_trigger(trigger_id bigint, event_type text, event_source text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.warn_of_circle() FROM PUBLIC;
