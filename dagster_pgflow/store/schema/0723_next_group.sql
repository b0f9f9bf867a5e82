create function pgflow.next_group(
  needs_queue boolean,
  tenant text,
  priority integer,
  last_flow text,
  last_key text,
  closed_flows text[],
  closed_groups text[],
  out flow_slug text,
  out concurrency_key text
)
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
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

comment on function pgflow.next_group(boolean, text, integer, text, text, text[], text[]) is
  'The flow and key of a tenant with requests of a priority that come behind the last, in a circle';
