create function pgflow.tenants_to_serve() returns text[]
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select case
    when exists (select from pg_class where oid = 'pgflow.flows'::regclass and relrowsecurity)
      then pgflow.seen_tenants()
    else '{*}'
  end
$$;

comment on function pgflow.tenants_to_serve() is
  'The tenants that the user sees while tenants are isolated, else all: *';
