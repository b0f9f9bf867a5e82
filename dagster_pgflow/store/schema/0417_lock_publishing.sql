create function pgflow.lock_publishing() returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  if not pg_try_advisory_xact_lock(hashtextextended('pgflow.flow_versions', 0)) then
    perform pgflow.wait_for_lock();
  end if;
end
$$;

comment on function pgflow.lock_publishing() is 'Keeps all others from publishing until commit';
