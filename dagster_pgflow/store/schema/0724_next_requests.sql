-- Turns go round: from tenant to tenant, and in each, among the requests of its highest priority,
-- from flow to flow and key to key. So a request that comes alone waits for one turn of each other
-- line, not for the requests in them, and no tenant comes before another by a high number.
create function pgflow.next_requests(
  needs_queue boolean,
  most integer,
  up_to_version bigint default null,
  passed uuid[] default '{}'
) returns table (run_id uuid, flow_slug text, concurrency_key text, awaits_key boolean)
language plpgsql
stable
set search_path to pg_catalog, pg_temp
-- Each question is for the first row in the order of an index. What the statistics say of a queue is
-- mostly of another time, and then the planner would rather read all of it and sort.
set enable_sort to off
set enable_incremental_sort to off
set enable_seqscan to off
set enable_bitmapscan to off
as $$
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

comment on function pgflow.next_requests(boolean, integer, bigint, uuid[]) is
  'The requests that are to be taken next, in this order: by turn, priority and age, within the limits';
