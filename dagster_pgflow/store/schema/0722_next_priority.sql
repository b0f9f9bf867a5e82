create function pgflow.next_priority(needs_queue boolean, tenant text, below integer) returns integer
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
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

comment on function pgflow.next_priority(boolean, text, integer) is
  'The highest priority of a tenant''s requests in line, of those below one; null is none';
