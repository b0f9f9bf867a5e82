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
