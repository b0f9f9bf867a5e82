-- old code: works

set local check_function_bodies to off;

-- Whoever might call what is made anew below may go on to.
create temporary table granted on commit drop as
select routine.proname, right_of.grantee::regrole as grantee
from pg_proc as routine
cross join lateral aclexplode(routine.proacl) as right_of
where routine.pronamespace = 'pgflow'::regnamespace
  and routine.proname in ('create_flow', 'start_flow')
  and right_of.grantee not in (0, routine.proowner);

drop function pgflow.start_flow(text, jsonb, uuid);

drop function pgflow.create_flow(text, integer, integer, integer, integer, text, text, jsonb, jsonb, jsonb);

CREATE FUNCTION pgflow.claim_request(passes_unkeyed boolean DEFAULT false) RETURNS TABLE(run_id uuid, flow_slug text, version_id bigint, created_at timestamp with time zone, awaits_key boolean)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  most integer;
  candidate record;
  taken record;
  is_found boolean;
  passed uuid[] := '{}';
  busy_line bigint;
  holds_line boolean := false;
begin
  -- First the one whose turn it is; many only where others are about to take that one.
  foreach most in array array[1, 50, 50] loop
    for candidate in
      select next.run_id, next.awaits_key
      from pgflow.next_requests(false, most, null, passed) as next
    loop
      is_found := candidate.awaits_key;
      if is_found and passes_unkeyed then
        passed := passed || candidate.run_id;
        continue;
      elsif not is_found then
        select attempt.* into taken from pgflow.take_request(candidate.run_id) as attempt;
        is_found := taken.is_taken;
      end if;
      if is_found then
        return query
        select
          request.run_id, request.flow_slug, request.version_id, request.created_at,
          request.awaits_key
        from pgflow.run_requests as request
        where request.run_id = candidate.run_id;
        return;
      end if;
      passed := passed || candidate.run_id;
      if taken.is_busy then
        busy_line := coalesce(busy_line, taken.line);
      else
        holds_line := holds_line or taken.line is not null;
      end if;
    end loop;
    if most > 1 then
      -- Two that each hold a line must not wait for the other's.
      exit when busy_line is null or holds_line;
      perform pg_advisory_xact_lock(busy_line);
      holds_line := true;
      passed := '{}';
    end if;
  end loop;
end
$$;

COMMENT ON FUNCTION pgflow.claim_request(passes_unkeyed boolean) IS 'Takes the request whose turn it is, until the end of the transaction for this session alone; one that awaits its key is named and not taken, or passed';

alter table pgflow.flows add column opt_max_concurrent_runs integer;

alter table pgflow.flows add column opt_concurrency_key text;

alter table pgflow.flows add column opt_max_concurrent_runs_per_key integer;

alter table pgflow.flows add constraint a_limit_per_key_has_a_key CHECK (((opt_max_concurrent_runs_per_key IS NULL) OR (opt_concurrency_key IS NOT NULL)));

alter table pgflow.flows add constraint concurrency_key_is_not_empty CHECK ((opt_concurrency_key <> ''::text));

alter table pgflow.flows add constraint opt_max_concurrent_runs_is_positive CHECK ((opt_max_concurrent_runs > 0));

alter table pgflow.flows add constraint opt_max_concurrent_runs_per_key_is_positive CHECK ((opt_max_concurrent_runs_per_key > 0));

COMMENT ON COLUMN pgflow.flows.opt_max_concurrent_runs IS 'How many requested runs of it are under way at most; null is any number';

COMMENT ON COLUMN pgflow.flows.opt_concurrency_key IS 'CEL over the input; requests that it gives one value for are in line together';

COMMENT ON COLUMN pgflow.flows.opt_max_concurrent_runs_per_key IS 'How many requested runs of one key are under way at most; null is any number';

CREATE FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer, max_delay integer DEFAULT NULL::integer, jitter text DEFAULT NULL::text, description text DEFAULT ''::text, tags jsonb DEFAULT '{}'::jsonb, input_schema jsonb DEFAULT NULL::jsonb, output_schema jsonb DEFAULT NULL::jsonb, max_concurrent_runs integer DEFAULT NULL::integer, concurrency_key text DEFAULT NULL::text, max_concurrent_runs_per_key integer DEFAULT NULL::integer) RETURNS pgflow.flows
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
      description, tags, input_schema, output_schema,
      opt_max_concurrent_runs, opt_concurrency_key, opt_max_concurrent_runs_per_key
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
      create_flow.max_concurrent_runs_per_key
    )
    on conflict do nothing
    returning * into flow;
    exit when found;
    -- Another session created it meanwhile, and may even have deleted it: look again.
  end loop;
  return flow;
end
$$;

COMMENT ON FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer, base_delay integer, timeout integer, max_delay integer, jitter text, description text, tags jsonb, input_schema jsonb, output_schema jsonb, max_concurrent_runs integer, concurrency_key text, max_concurrent_runs_per_key integer) IS 'Creates a flow, or returns the one that exists unchanged; nulls mean 3 attempts, 5 s, 60 s';

CREATE OR REPLACE FUNCTION pgflow.flow_definition(flow_slug text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    jsonb_strip_nulls(jsonb_build_object(
      'slug', flow.flow_slug,
      'description', nullif(flow.description, ''),
      'options', nullif(jsonb_strip_nulls(jsonb_build_object(
        'max_attempts', nullif(flow.opt_max_attempts, 3),
        'base_delay', nullif(flow.opt_base_delay, 5),
        'timeout', nullif(flow.opt_timeout, 60),
        'max_delay', nullif(flow.opt_max_delay, 3600),
        'jitter', nullif(flow.opt_jitter, 'none'),
        'max_concurrent_runs', flow.opt_max_concurrent_runs,
        'concurrency_key', flow.opt_concurrency_key,
        'max_concurrent_runs_per_key', flow.opt_max_concurrent_runs_per_key
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

CREATE FUNCTION pgflow.hand_over(run_ids uuid[]) RETURNS SETOF uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  offered record;
  taken record;
begin
  for offered in
    select given.run_id from unnest(run_ids) with ordinality as given (run_id, place) order by place
  loop
    select request.handed_over_at
    into taken
    from pgflow.run_requests as request
    where request.run_id = offered.run_id
      and request.refused_at is null
      and request.ended_at is null
    for update skip locked;
    continue when not found;
    -- A statement of its own sees what a live worker has committed until the row was locked.
    perform
    from pgflow.runs as run
    where run.run_id = offered.run_id and run.dagster_run_id is not null;
    continue when found;
    if taken.handed_over_at is null then
      select attempt.* into taken from pgflow.take_request(offered.run_id) as attempt;
      continue when not taken.is_taken;
    end if;
    -- Each time in another order: Dagster 1.13 launches in the order of a tick, and one that fails
    -- ends the tick.
    update pgflow.run_requests as request
    set handed_over_at = statement_timestamp()
      + interval '1 microsecond'
      * get_byte(
        decode(md5(request.run_id::text || coalesce(request.handed_over_at::text, '')), 'hex'), 0
      )
    where request.run_id = offered.run_id;
    return next offered.run_id;
  end loop;
end
$$;

COMMENT ON FUNCTION pgflow.hand_over(run_ids uuid[]) IS 'Notes that requests are given to Dagster, and returns those that may be: not over, and within the limits';

CREATE FUNCTION pgflow.key_of_request(expression text, input jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  value jsonb;
begin
  if expression is null then
    return '';
  end if;
  if expression !~ '^input([.][a-zA-Z_][a-zA-Z0-9_]*)+$' then
    return null;
  end if;
  value := input #> (string_to_array(expression, '.'))[2:];
  -- These have one way to be written, which Python shares; of all else it makes the key.
  if
    octet_length(value::text) <= 200
    and (
      jsonb_typeof(value) in ('string', 'boolean', 'null')
      or value::text ~ '^-?[0-9]{1,15}$'
    )
  then
    return value::text;
  end if;
  return null;
end
$_$;

COMMENT ON FUNCTION pgflow.key_of_request(expression text, input jsonb) IS 'The concurrency key of an input, where the expression is a plain path; null where CEL is needed';

CREATE FUNCTION pgflow.last_place_of(needs_queue boolean, tenant text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select jsonb_build_object(
    'priority', pgflow.next_priority(last_place_of.needs_queue, last_place_of.tenant, null),
    'flow_slug', last.flow_slug,
    'concurrency_key', last.concurrency_key
  )
  from (select) as always
  left join lateral (
    select request.flow_slug, request.concurrency_key
    from pgflow.run_requests as request
    where request.tenant = last_place_of.tenant and request.turn is not null
    order by request.turn desc
    limit 1
  ) as last on true
$$;

COMMENT ON FUNCTION pgflow.last_place_of(needs_queue boolean, tenant text) IS 'Where a tenant''s turns are: at its highest priority, behind the flow and key that had the last one';

CREATE FUNCTION pgflow.next_group(needs_queue boolean, tenant text, priority integer, last_flow text, last_key text, closed_flows text[], closed_groups text[], OUT flow_slug text, OUT concurrency_key text) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  is_around boolean := last_flow is null;
begin
  flow_slug := last_flow;
  concurrency_key := last_key;
  loop
    -- Each way asks the index for one row; joined by "or" they would read all of it.
    if flow_slug is null then
      select request.flow_slug, request.concurrency_key
      into flow_slug, concurrency_key
      from pgflow.run_requests as request
      where request.needs_queue = next_group.needs_queue
        and request.tenant = next_group.tenant
        and request.priority = next_group.priority
        and request.handed_over_at is null
        and request.refused_at is null
        and request.ended_at is null
      order by request.flow_slug, request.concurrency_key
      limit 1;
    elsif flow_slug = any (closed_flows) then
      select request.flow_slug, request.concurrency_key
      into flow_slug, concurrency_key
      from pgflow.run_requests as request
      where request.needs_queue = next_group.needs_queue
        and request.tenant = next_group.tenant
        and request.priority = next_group.priority
        and request.flow_slug > next_group.flow_slug
        and request.handed_over_at is null
        and request.refused_at is null
        and request.ended_at is null
      order by request.flow_slug, request.concurrency_key
      limit 1;
    else
      select request.flow_slug, request.concurrency_key
      into flow_slug, concurrency_key
      from pgflow.run_requests as request
      where request.needs_queue = next_group.needs_queue
        and request.tenant = next_group.tenant
        and request.priority = next_group.priority
        and (request.flow_slug, request.concurrency_key)
          > (next_group.flow_slug, next_group.concurrency_key)
        and request.handed_over_at is null
        and request.refused_at is null
        and request.ended_at is null
      order by request.flow_slug, request.concurrency_key
      limit 1;
    end if;
    if flow_slug is null then
      if is_around then
        return;
      end if;
      is_around := true;
    elsif
      is_around and (flow_slug, concurrency_key) > (last_flow, last_key)
    then
      flow_slug := null;
      concurrency_key := null;
      return;
    elsif
      flow_slug <> all (closed_flows) and flow_slug || ' ' || concurrency_key <> all (closed_groups)
    then
      return;
    end if;
  end loop;
end
$$;

COMMENT ON FUNCTION pgflow.next_group(needs_queue boolean, tenant text, priority integer, last_flow text, last_key text, closed_flows text[], closed_groups text[], OUT flow_slug text, OUT concurrency_key text) IS 'The flow and key of a tenant with requests of a priority that come behind the last, in a circle';

CREATE FUNCTION pgflow.next_priority(needs_queue boolean, tenant text, below integer) RETURNS integer
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if below is null then
    return (
      select max(request.priority)
      from pgflow.run_requests as request
      where request.needs_queue = next_priority.needs_queue
        and request.tenant = next_priority.tenant
        and request.handed_over_at is null
        and request.refused_at is null
        and request.ended_at is null
    );
  end if;
  return (
    select max(request.priority)
    from pgflow.run_requests as request
    where request.needs_queue = next_priority.needs_queue
      and request.tenant = next_priority.tenant
      and request.priority < below
      and request.handed_over_at is null
      and request.refused_at is null
      and request.ended_at is null
  );
end
$$;

COMMENT ON FUNCTION pgflow.next_priority(needs_queue boolean, tenant text, below integer) IS 'The highest priority of a tenant''s requests in line, of those below one; null is none';

CREATE FUNCTION pgflow.next_requests(needs_queue boolean, most integer, up_to_version bigint DEFAULT NULL::bigint, passed uuid[] DEFAULT '{}'::uuid[]) RETURNS TABLE(run_id uuid, flow_slug text, concurrency_key text, awaits_key boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  turn_of text;
  place record;
  room record;
  this_group text;
  places jsonb := '{}';
  closed_tenants text[] := '{}';
  closed_flows text[] := '{}';
  closed_groups text[] := '{}';
  picked uuid[] := '{}';
  picked_flows text[] := '{}';
  picked_groups text[] := '{}';
  last_tenant text;
begin
  select request.tenant into last_tenant
  from pgflow.run_requests as request
  where request.turn is not null
  order by request.turn desc
  limit 1;

  while cardinality(picked) < most loop
    turn_of := pgflow.next_tenant(next_requests.needs_queue, last_tenant, closed_tenants);
    exit when turn_of is null;
    if not places ? turn_of then
      places := places
        || jsonb_build_object(turn_of, pgflow.last_place_of(next_requests.needs_queue, turn_of));
    end if;
    select next.* into place
    from pgflow.next_group(
      next_requests.needs_queue,
      turn_of,
      (places -> turn_of ->> 'priority')::integer,
      places -> turn_of ->> 'flow_slug',
      places -> turn_of ->> 'concurrency_key',
      closed_flows,
      closed_groups
    ) as next;
    if place.flow_slug is null then
      -- Of this priority nothing may begin: on to the next lower one.
      places := jsonb_set(
        places,
        array[turn_of, 'priority'],
        coalesce(
          to_jsonb(
            pgflow.next_priority(
              next_requests.needs_queue, turn_of, (places -> turn_of ->> 'priority')::integer
            )
          ),
          'null'
        )
      );
      if places -> turn_of -> 'priority' = 'null' then
        closed_tenants := closed_tenants || turn_of;
      end if;
      closed_groups := '{}';
      continue;
    end if;

    this_group := place.flow_slug || ' ' || place.concurrency_key;
    select free.of_flow, free.of_key into room
    from pgflow.room_for(place.flow_slug, place.concurrency_key) as free;
    if room.of_flow <= cardinality(array_positions(picked_flows, place.flow_slug)) then
      closed_flows := closed_flows || place.flow_slug;
      continue;
    elsif room.of_key <= cardinality(array_positions(picked_groups, this_group)) then
      closed_groups := closed_groups || this_group;
      continue;
    end if;

    select request.run_id, request.awaits_key
    into next_requests.run_id, next_requests.awaits_key
    from pgflow.run_requests as request
    join pgflow.runs as run on run.run_id = request.run_id
    where request.needs_queue = next_requests.needs_queue
      and request.tenant = turn_of
      and request.priority = (places -> turn_of ->> 'priority')::integer
      and request.flow_slug = place.flow_slug
      and request.concurrency_key = place.concurrency_key
      and request.handed_over_at is null
      and request.refused_at is null
      and request.ended_at is null
      and request.run_id <> all (picked || passed)
      and (up_to_version is null or request.version_id <= up_to_version)
      and run.status = 'queued'
      and run.dagster_run_id is null
    order by request.created_at, request.run_id
    limit 1;
    if not found then
      closed_groups := closed_groups || this_group;
      continue;
    end if;
    flow_slug := place.flow_slug;
    concurrency_key := place.concurrency_key;
    return next;
    picked := picked || next_requests.run_id;
    picked_flows := picked_flows || flow_slug;
    picked_groups := picked_groups || this_group;
    places := jsonb_set(
      places, array[turn_of], places -> turn_of || to_jsonb(place)
    );
    last_tenant := turn_of;
  end loop;
end
$$;

COMMENT ON FUNCTION pgflow.next_requests(needs_queue boolean, most integer, up_to_version bigint, passed uuid[]) IS 'The requests that are to be taken next, in this order: by turn, priority and age, within the limits';

CREATE FUNCTION pgflow.next_tenant(needs_queue boolean, last_tenant text, closed text[]) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_tenant text := last_tenant;
  is_around boolean := last_tenant is null;
begin
  loop
    if found_tenant is null then
      select min(request.tenant) into found_tenant
      from pgflow.run_requests as request
      where request.needs_queue = next_tenant.needs_queue
        and request.handed_over_at is null
        and request.refused_at is null
        and request.ended_at is null;
    else
      select min(request.tenant) into found_tenant
      from pgflow.run_requests as request
      where request.needs_queue = next_tenant.needs_queue
        and request.tenant > found_tenant
        and request.handed_over_at is null
        and request.refused_at is null
        and request.ended_at is null;
    end if;
    if found_tenant is null then
      if is_around then
        return null;
      end if;
      is_around := true;
    elsif is_around and found_tenant > last_tenant then
      return null;
    elsif found_tenant <> all (closed) then
      return found_tenant;
    end if;
  end loop;
end
$$;

COMMENT ON FUNCTION pgflow.next_tenant(needs_queue boolean, last_tenant text, closed text[]) IS 'The tenant with requests in line that comes behind the last one, in a circle; null is none';

CREATE FUNCTION pgflow.note_ended_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update pgflow.run_requests as request
  set ended_at = clock_timestamp()
  where request.run_id = new.run_id and request.ended_at is null;
  perform pg_notify('pgflow_runs_ended', new.run_id::text);
  return null;
end
$$;

COMMENT ON FUNCTION pgflow.note_ended_run() IS 'Frees the place of a run that is over, and tells who waits for its end';

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
    opt_max_delay = coalesce((definition #>> '{options,max_delay}')::integer, 3600),
    opt_jitter = coalesce(definition #>> '{options,jitter}', 'none'),
    opt_max_concurrent_runs = (definition #>> '{options,max_concurrent_runs}')::integer,
    opt_concurrency_key = definition #>> '{options,concurrency_key}',
    opt_max_concurrent_runs_per_key =
      (definition #>> '{options,max_concurrent_runs_per_key}')::integer,
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
    ('worker', 'execute', 'function', 'claim_request'),
    ('worker', 'execute', 'function', 'hand_over'),
    ('worker', 'execute', 'function', 'last_place_of'),
    ('worker', 'execute', 'function', 'next_group'),
    ('worker', 'execute', 'function', 'next_priority'),
    ('worker', 'execute', 'function', 'next_requests'),
    ('worker', 'execute', 'function', 'next_tenant'),
    ('worker', 'execute', 'function', 'room_for'),
    ('worker', 'execute', 'function', 'take_request'),
    ('worker', 'update (allowed_tags)', 'table', 'store'),
    ('worker', 'update (handed_over_at, refused_at, refused_reason, needs_queue)', 'table', 'run_requests'),
    ('worker', 'update (concurrency_key, awaits_key, turn)', 'table', 'run_requests'),
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

CREATE FUNCTION pgflow.room_for(flow_slug text, concurrency_key text, OUT of_flow bigint, OUT of_key bigint) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  max_runs integer;
  max_runs_per_key integer;
begin
  -- What holds is what the flow says now, for all of its requests.
  select flow.opt_max_concurrent_runs, flow.opt_max_concurrent_runs_per_key
  into max_runs, max_runs_per_key
  from pgflow.flows as flow
  where flow.flow_slug = room_for.flow_slug;
  if max_runs is not null then
    select max_runs - count(*) into of_flow
    from pgflow.run_requests as request
    where request.flow_slug = room_for.flow_slug
      and request.handed_over_at is not null
      and request.refused_at is null
      and request.ended_at is null;
  end if;
  if max_runs_per_key is not null then
    select max_runs_per_key - count(*) into of_key
    from pgflow.run_requests as request
    where request.flow_slug = room_for.flow_slug
      and request.concurrency_key = room_for.concurrency_key
      and request.handed_over_at is not null
      and request.refused_at is null
      and request.ended_at is null;
  end if;
end
$$;

COMMENT ON FUNCTION pgflow.room_for(flow_slug text, concurrency_key text, OUT of_flow bigint, OUT of_key bigint) IS 'How many more requests of a flow, and of this key in it, may be taken now; null is any number';

CREATE FUNCTION pgflow.start_flow(flow_slug text, input jsonb DEFAULT NULL::jsonb, run_id uuid DEFAULT NULL::uuid, priority integer DEFAULT 0) RETURNS pgflow.runs
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  wanted_run_id constant uuid := coalesce(start_flow.run_id, gen_random_uuid());
  flow pgflow.flows;
  version pgflow.flow_versions;
  run pgflow.runs;
  filled_input jsonb;
  key text;
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

  key := pgflow.key_of_request(flow.opt_concurrency_key, filled_input);
  insert into pgflow.run_requests (
    run_id, flow_slug, version_id, input, asked_hash, priority, tenant, concurrency_key, awaits_key
  )
  values (
    wanted_run_id,
    flow.flow_slug,
    pgflow.watermark_of(flow.flow_slug),
    filled_input,
    pgflow.asked_hash(start_flow.input),
    coalesce(start_flow.priority, 0),
    left(coalesce(flow.tags ->> 'tenant', ''), 128),
    coalesce(key, ''),
    key is null
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

COMMENT ON FUNCTION pgflow.start_flow(flow_slug text, input jsonb, run_id uuid, priority integer) IS 'Asks Dagster to run a flow, on the input laid over its defaults, and returns the queued run; the same run_id again starts nothing new. Requests of a higher priority are taken first';

CREATE FUNCTION pgflow.take_request(run_id uuid, OUT is_taken boolean, OUT line bigint, OUT is_busy boolean) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  room record;
begin
  is_taken := false;
  is_busy := false;
  select
    hashtextextended(
      case
        when flow.opt_max_concurrent_runs is not null then waiting.flow_slug
        when flow.opt_max_concurrent_runs_per_key is not null
          then waiting.flow_slug || ' ' || waiting.concurrency_key
      end,
      7265717565737473
    )
  into line
  from pgflow.run_requests as waiting
  join pgflow.flows as flow on flow.flow_slug = waiting.flow_slug
  where waiting.run_id = take_request.run_id;
  if line is not null then
    is_busy := not pg_try_advisory_xact_lock(line);
    if is_busy then
      return;
    end if;
    select free.of_flow, free.of_key into room
    from pgflow.run_requests as waiting
    cross join lateral pgflow.room_for(waiting.flow_slug, waiting.concurrency_key) as free
    where waiting.run_id = take_request.run_id;
    if room.of_flow <= 0 or room.of_key <= 0 then
      return;
    end if;
  end if;
  update pgflow.run_requests as taken
  set
    handed_over_at = statement_timestamp(),
    turn = 1 + coalesce(
      (select max(before.turn) from pgflow.run_requests as before where before.turn is not null), 0
    )
  from (
    select waiting.run_id
    from pgflow.run_requests as waiting
    where waiting.run_id = take_request.run_id
      and waiting.handed_over_at is null
      and waiting.refused_at is null
      and waiting.ended_at is null
      and not waiting.awaits_key
    for update skip locked
  ) as waiting
  where taken.run_id = waiting.run_id;
  is_taken := found;
end
$$;

COMMENT ON FUNCTION pgflow.take_request(run_id uuid, OUT is_taken boolean, OUT line bigint, OUT is_busy boolean) IS 'Takes a request if it still waits and there is room; line is the lock of its limit, if it has one';

alter table pgflow.run_requests add column priority integer DEFAULT 0 NOT NULL;

alter table pgflow.run_requests add column tenant text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C";

alter table pgflow.run_requests add column concurrency_key text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C";

alter table pgflow.run_requests add column awaits_key boolean DEFAULT false NOT NULL;

alter table pgflow.run_requests add column turn bigint;

alter table pgflow.run_requests add column ended_at timestamp with time zone;

COMMENT ON COLUMN pgflow.run_requests.priority IS 'Of one tenant, or of the flows that have none, those of a higher one are taken first';

COMMENT ON COLUMN pgflow.run_requests.tenant IS 'The tag "tenant" that the flow had when the run was asked for, as far as turns need it';

COMMENT ON COLUMN pgflow.run_requests.concurrency_key IS 'What the flow''s concurrency key gives for the input, as JSON; empty where the flow has none';

COMMENT ON COLUMN pgflow.run_requests.awaits_key IS 'Whether its key is still to be computed, by whoever takes requests';

COMMENT ON COLUMN pgflow.run_requests.turn IS 'Counts the requests of all flows as they are taken, whatever the clock says; null while it waits';

COMMENT ON COLUMN pgflow.run_requests.ended_at IS 'When its run was seen to be over; until then a request that is taken holds a place';

CREATE VIEW pgflow.waiting_requests AS
 WITH under_way AS (
         SELECT request_1.flow_slug,
            request_1.concurrency_key,
            count(*) AS runs
           FROM pgflow.run_requests request_1
          WHERE ((request_1.handed_over_at IS NOT NULL) AND (request_1.refused_at IS NULL) AND (request_1.ended_at IS NULL))
          GROUP BY request_1.flow_slug, request_1.concurrency_key
        )
 SELECT request.run_id,
    request.flow_slug,
    request.concurrency_key,
    request.priority,
    request.created_at,
        CASE
            WHEN (request.handed_over_at IS NOT NULL) THEN 'Dagster was asked to start it'::text
            WHEN request.awaits_key THEN 'its concurrency key is not computed yet'::text
            WHEN (of_flow.runs >= (flow.opt_max_concurrent_runs)::numeric) THEN format('flow "%s" has %s of at most %s under way'::text, flow.flow_slug, of_flow.runs, flow.opt_max_concurrent_runs)
            WHEN (of_key.runs >= flow.opt_max_concurrent_runs_per_key) THEN format('flow "%s" has %s of at most %s under way for the key %s'::text, flow.flow_slug, of_key.runs, flow.opt_max_concurrent_runs_per_key, of_key.concurrency_key)
            ELSE 'it has its turn as soon as somebody takes requests'::text
        END AS waits_for
   FROM ((((pgflow.run_requests request
     JOIN pgflow.runs run ON ((run.run_id = request.run_id)))
     LEFT JOIN pgflow.flows flow ON ((flow.flow_slug = request.flow_slug)))
     LEFT JOIN ( SELECT under_way.flow_slug,
            sum(under_way.runs) AS runs
           FROM under_way
          GROUP BY under_way.flow_slug) of_flow ON ((of_flow.flow_slug = request.flow_slug)))
     LEFT JOIN under_way of_key ON (((of_key.flow_slug = request.flow_slug) AND (of_key.concurrency_key = request.concurrency_key))))
  WHERE ((request.refused_at IS NULL) AND (request.ended_at IS NULL) AND (run.status = 'queued'::text) AND (run.dagster_run_id IS NULL));

COMMENT ON VIEW pgflow.waiting_requests IS 'The requests that Dagster has no run of yet, and why';

CREATE INDEX run_requests_by_turn ON pgflow.run_requests USING btree (turn) WHERE (turn IS NOT NULL);

CREATE INDEX run_requests_by_turn_of_tenant ON pgflow.run_requests USING btree (tenant, turn) WHERE (turn IS NOT NULL);

CREATE INDEX run_requests_in_line ON pgflow.run_requests USING btree (needs_queue, tenant, priority, flow_slug, concurrency_key, created_at, run_id) WHERE ((handed_over_at IS NULL) AND (refused_at IS NULL) AND (ended_at IS NULL));

CREATE INDEX run_requests_under_way ON pgflow.run_requests USING btree (flow_slug, concurrency_key) WHERE ((handed_over_at IS NOT NULL) AND (refused_at IS NULL) AND (ended_at IS NULL));

CREATE INDEX run_requests_without_key ON pgflow.run_requests USING btree (flow_slug, created_at, run_id) WHERE (awaits_key AND (refused_at IS NULL));

CREATE TRIGGER run_is_over AFTER INSERT OR UPDATE OF status ON pgflow.runs FOR EACH ROW WHEN ((new.status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text]))) EXECUTE FUNCTION pgflow.note_ended_run();

REVOKE ALL ON FUNCTION pgflow.claim_request(passes_unkeyed boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.create_flow(flow_slug text, max_attempts integer, base_delay integer, timeout integer, max_delay integer, jitter text, description text, tags jsonb, input_schema jsonb, output_schema jsonb, max_concurrent_runs integer, concurrency_key text, max_concurrent_runs_per_key integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.hand_over(run_ids uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.key_of_request(expression text, input jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.last_place_of(needs_queue boolean, tenant text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.next_group(needs_queue boolean, tenant text, priority integer, last_flow text, last_key text, closed_flows text[], closed_groups text[], OUT flow_slug text, OUT concurrency_key text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.next_priority(needs_queue boolean, tenant text, below integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.next_requests(needs_queue boolean, most integer, up_to_version bigint, passed uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.next_tenant(needs_queue boolean, last_tenant text, closed text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.note_ended_run() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.room_for(flow_slug text, concurrency_key text, OUT of_flow bigint, OUT of_key bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.start_flow(flow_slug text, input jsonb, run_id uuid, priority integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.take_request(run_id uuid, OUT is_taken boolean, OUT line bigint, OUT is_busy boolean) FROM PUBLIC;

do $$
declare
  allowed record;
begin
  for allowed in
    select routine.oid::regprocedure as name, granted.grantee
    from granted
    join pg_proc as routine
      on routine.pronamespace = 'pgflow'::regnamespace and routine.proname = granted.proname
  loop
    execute format('grant execute on function %s to %s', allowed.name, allowed.grantee);
  end loop;
  -- Where tenants are isolated, a view shows what its reader may see.
  if exists (select from pg_class where oid = 'pgflow.runs'::regclass and relrowsecurity) then
    execute 'alter view pgflow.waiting_requests set (security_invoker = true)';
  end if;
end
$$;

-- What is over holds no place; nor does a request whose run somebody has deleted.
update pgflow.run_requests as request
set ended_at = coalesce(run.completed_at, run.failed_at, run.updated_at, now())
from pgflow.run_requests as asked
left join pgflow.runs as run on run.run_id = asked.run_id
where request.run_id = asked.run_id
  and request.refused_at is null
  and (run.run_id is null or run.status in ('completed', 'failed', 'cancelled'));
