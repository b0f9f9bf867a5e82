create function pgflow.last_place_of(needs_queue boolean, tenant text) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
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

comment on function pgflow.last_place_of(boolean, text) is
  'Where a tenant''s turns are: at its highest priority, behind the flow and key that had the last one';
