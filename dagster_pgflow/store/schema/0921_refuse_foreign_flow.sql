-- For the functions that run as the owner, whom row level security does not bind.
create function pgflow.refuse_foreign_flow(flow_slug text) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from pgflow.flows as flow
    join pg_class as isolated on isolated.oid = flow.tableoid and isolated.relrowsecurity
    where flow.flow_slug = refuse_foreign_flow.flow_slug
      and not array[flow.tags ->> 'tenant', '*'] && pgflow.seen_tenants()
  ) then
    raise exception 'Flow "%" belongs to another tenant.', flow_slug
      using errcode = 'insufficient_privilege';
  end if;
end
$$;

comment on function pgflow.refuse_foreign_flow(text) is
  'Raises when tenants are isolated, and the flow is none of the user''s';
