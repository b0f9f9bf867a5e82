create function pgflow.lock_holders(flow_slug text default null) returns text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(pgflow.describe_sessions(array_agg(holder.pid)), 'it has just ended')
  from pg_locks as holder
  join pg_database as here on here.oid = holder.database and here.datname = current_database()
  where holder.granted
    and holder.pid <> pg_backend_pid()
    and case
      when lock_holders.flow_slug is null then
        holder.locktype = 'advisory'
        and (holder.classid::bigint << 32) | holder.objid::bigint
          = hashtextextended('pgflow.flow_versions', 0)
      -- PostgreSQL keeps no list of who has locked a row.
      else
        holder.relation in ('pgflow.flows'::regclass, 'pgflow.steps'::regclass)
        and holder.mode in ('RowShareLock', 'RowExclusiveLock')
    end
$$;

comment on function pgflow.lock_holders(text) is
  'Who keeps all others from publishing, or who may keep them from changing a flow';
