-- As seen_tenants() finds it: the role of the session, whoever owns the function that asks.
create function pgflow.name_of_caller() returns text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select case current_setting('role') when 'none' then session_user::text else current_setting('role') end
$$;

comment on function pgflow.name_of_caller() is 'The database role that asks, whatever runs with the rights of the owner';
