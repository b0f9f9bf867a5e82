-- The role of the session decides, which a session cannot choose: a setting it could.
create function pgflow.seen_tenants() returns text[]
language sql
stable
security definer
set search_path to pg_catalog, pg_temp
as $$
  with caller (name) as (
    select case current_setting('role')
      when 'none' then session_user
      else current_setting('role')::name
    end
  )
  select coalesce(array_agg(seen.tenant), '{}')
  from (
    select listed.tenant
    from pgflow.tenants as listed
    join pg_roles as role on role.rolname = listed.role_name
    join caller on pg_has_role(caller.name, role.oid, 'usage')
    union
    select '*'
    from pg_namespace as schema
    join caller on pg_has_role(caller.name, schema.nspowner, 'usage')
    where schema.nspname = 'pgflow'
  ) as seen
$$;

comment on function pgflow.seen_tenants() is 'The tenants whose flows the user sees; * is every flow';
