create function pgflow.make_roles(prefix text default 'pgflow') returns setof text
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  duty text;
  role_name text;
  entry record;
begin
  if prefix collate "C" !~ '^[a-z_][a-z0-9_]{0,49}$' or starts_with(prefix, 'pg_') then
    raise exception 'The prefix of roles is "%"; write 1 to 50 small letters, digits and underscores, no digit and no "pg_" first.',
      prefix
      using errcode = 'invalid_parameter_value';
  end if;
  for duty in select distinct rights.role from pgflow.role_rights() as rights order by 1 loop
    role_name := prefix || '_' || duty;
    if not exists (select from pg_roles where rolname = role_name) then
      begin
        execute format('create role %I nologin', role_name);
      exception
        when insufficient_privilege then
          raise exception 'There is no role "%", and "%" may not make roles (CREATEROLE).',
            role_name, current_user
            using errcode = 'insufficient_privilege';
        when duplicate_object or unique_violation then
          null; -- Somebody made it meanwhile, for another database.
      end;
    end if;
    -- What an earlier version granted is taken back, so that the list below is all there is.
    execute format('revoke all on schema pgflow from %I', role_name);
    execute format('revoke all on all tables in schema pgflow from %I', role_name);
    execute format('revoke all on all functions in schema pgflow from %I', role_name);
    execute format('grant usage on schema pgflow to %I', role_name);
    for entry in
      select
        rights.privileges,
        case rights.kind
          when 'table' then format('table pgflow.%I', rights.name)
          else 'function ' || routine.oid::regprocedure
        end as object
      from pgflow.role_rights() as rights
      left join pg_proc as routine
        on rights.kind = 'function'
        and routine.pronamespace = 'pgflow'::regnamespace
        and routine.proname = rights.name
      where rights.role = duty
    loop
      execute format('grant %s on %s to %I', entry.privileges, entry.object, role_name);
    end loop;
    return next role_name;
  end loop;
end
$$;

comment on function pgflow.make_roles(text) is
  'Makes the roles <prefix>_reader, _starter, _answerer, _author and _worker, or brings their rights up to date; returns their names';
