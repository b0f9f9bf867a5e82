create function pgflow.isolate_tenants(isolated boolean default true) returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  relation record;
begin
  if current_setting('server_version_num')::integer < 150000 then
    raise exception 'Tenants can be isolated from PostgreSQL 15 on: before, a view shows what its owner sees.'
      using errcode = 'feature_not_supported';
  end if;
  for relation in
    select distinct policy.polrelid::regclass as name
    from pg_policy as policy
    join pg_class as kept on kept.oid = policy.polrelid
    where kept.relnamespace = 'pgflow'::regnamespace
  loop
    execute format(
      'alter table %s %s row level security',
      relation.name, case when isolated then 'enable' else 'disable' end
    );
  end loop;
  for relation in
    select shown.oid::regclass as name
    from pg_class as shown
    where shown.relnamespace = 'pgflow'::regnamespace and shown.relkind = 'v'
  loop
    execute format('alter view %s set (security_invoker = %s)', relation.name, isolated);
  end loop;
  if isolated then
    alter table pgflow.flows enable trigger flows_keep_to_their_tenant;
    alter table pgflow.steps enable trigger subflows_are_of_a_tenant_that_one_sees;
  else
    alter table pgflow.flows disable trigger flows_keep_to_their_tenant;
    alter table pgflow.steps disable trigger subflows_are_of_a_tenant_that_one_sees;
  end if;
  if isolated and not exists (select from pgflow.tenants where tenant = '*') then
    raise warning 'No role sees every tenant, and so no code location does, unless it is the owner: insert into pgflow.tenants values (''pgflow_worker'', ''*'').';
  end if;
end
$$;

comment on function pgflow.isolate_tenants(boolean) is
  'Shows each role only the flows of its tenants, and what came of them; false shows all again';
