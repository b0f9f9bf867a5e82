create function pgflow.next_tenant(
  needs_queue boolean,
  last_tenant text,
  closed text[]
) returns text
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
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

comment on function pgflow.next_tenant(boolean, text, text[]) is
  'The tenant with requests in line that comes behind the last one, in a circle; null is none';
