-- old code: works

set local check_function_bodies to off;

drop index pgflow.run_requests_in_line_by_flow;

drop index pgflow.run_requests_by_turn_of_tenant;

drop index pgflow.run_requests_by_turn;

CREATE OR REPLACE FUNCTION pgflow.last_place_of(needs_queue boolean, tenant text) RETURNS jsonb
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
    select request.flow_slug, request.concurrency_key, request.turn
    from pgflow.run_requests as request
    where request.tenant = last_place_of.tenant
    order by request.turn desc nulls last
    limit 1
  ) as last on last.turn is not null
$$;

CREATE OR REPLACE FUNCTION pgflow.next_priority(needs_queue boolean, tenant text, below integer) RETURNS integer
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if below is null then
    return (
      select request.priority
      from pgflow.run_requests as request
      where request.needs_queue = next_priority.needs_queue
        and request.tenant = next_priority.tenant
        and request.handed_over_at is null
        and request.refused_at is null
        and request.ended_at is null
      order by request.priority desc
      limit 1
    );
  end if;
  return (
    select request.priority
    from pgflow.run_requests as request
    where request.needs_queue = next_priority.needs_queue
      and request.tenant = next_priority.tenant
      and request.priority < below
      and request.handed_over_at is null
      and request.refused_at is null
      and request.ended_at is null
    order by request.priority desc
    limit 1
  );
end
$$;

CREATE OR REPLACE FUNCTION pgflow.next_requests(needs_queue boolean, most integer, up_to_version bigint DEFAULT NULL::bigint, passed uuid[] DEFAULT '{}'::uuid[]) RETURNS TABLE(run_id uuid, flow_slug text, concurrency_key text, awaits_key boolean)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_sort TO 'off'
    SET enable_incremental_sort TO 'off'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
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
  select case when request.turn is not null then request.tenant end into last_tenant
  from pgflow.run_requests as request
  order by request.turn desc nulls last
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

CREATE OR REPLACE FUNCTION pgflow.next_tenant(needs_queue boolean, last_tenant text, closed text[]) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  found_tenant text := last_tenant;
  is_around boolean := last_tenant is null;
begin
  loop
    if found_tenant is null then
      select request.tenant into found_tenant
      from pgflow.run_requests as request
      where request.needs_queue = next_tenant.needs_queue
        and request.handed_over_at is null
        and request.refused_at is null
        and request.ended_at is null
      order by request.tenant
      limit 1;
    else
      select request.tenant into found_tenant
      from pgflow.run_requests as request
      where request.needs_queue = next_tenant.needs_queue
        and request.tenant > found_tenant
        and request.handed_over_at is null
        and request.refused_at is null
        and request.ended_at is null
      order by request.tenant
      limit 1;
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

CREATE OR REPLACE FUNCTION pgflow.note_ended_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update pgflow.run_requests as request
  set ended_at = clock_timestamp()
  where request.run_id = new.run_id and request.ended_at is null;
  perform pg_notify('pgflow_runs_ended', new.run_id::text);
  -- There may be room for one that waits: whoever takes requests shall look.
  if exists (
    select
    from pgflow.flows as flow
    where flow.flow_slug = new.flow_slug
      and (flow.opt_max_concurrent_runs, flow.opt_max_concurrent_runs_per_key) is distinct from (null, null)
  ) then
    perform pg_notify('pgflow_runs', new.run_id::text);
  end if;
  return null;
end
$$;

CREATE OR REPLACE FUNCTION pgflow.take_request(run_id uuid, OUT is_taken boolean, OUT line bigint, OUT is_busy boolean) RETURNS record
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
  -- By its key alone: with conditions that an index of waiting requests has, the planner may read
  -- all of that, where the statistics say that few wait.
  select
    waiting.handed_over_at is null
    and waiting.refused_at is null
    and waiting.ended_at is null
    and not waiting.awaits_key
  into is_taken
  from pgflow.run_requests as waiting
  where waiting.run_id = take_request.run_id
  for update skip locked;
  is_taken := coalesce(is_taken, false);
  if is_taken then
    update pgflow.run_requests as taken
    set
      handed_over_at = statement_timestamp(),
      turn = 1 + coalesce(
        (
          select before.turn
          from pgflow.run_requests as before
          order by before.turn desc nulls last
          limit 1
        ),
        0
      )
    where taken.run_id = take_request.run_id;
  end if;
end
$$;

CREATE INDEX run_requests_by_turn ON pgflow.run_requests USING btree (turn DESC NULLS LAST);

CREATE INDEX run_requests_by_turn_of_tenant ON pgflow.run_requests USING btree (tenant, turn DESC NULLS LAST);
