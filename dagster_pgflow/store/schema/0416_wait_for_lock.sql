create function pgflow.wait_for_lock(flow_slug text default null) returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  -- PostgreSQL turns statement_timeout off before it publishes at commit.
  patience constant integer := (
    select min(setting::integer)
    from pg_settings
    where name in ('lock_timeout', 'statement_timeout') and setting <> '0'
  );
  what constant text := case
    when wait_for_lock.flow_slug is null then 'This definition cannot be published'
    else format('Flow "%s" cannot be changed', wait_for_lock.flow_slug)
  end;
begin
  if pgflow.gets_lock(flow_slug, least(coalesce(patience, 1000), 1000)) then
    return;
  end if;
  if patience > 1000 or patience is null then
    raise warning '% before another transaction has ended, and waits for it: %.',
      what, pgflow.lock_holders(flow_slug);
    if pgflow.gets_lock(flow_slug, coalesce(patience - 1000, 0)) then
      return;
    end if;
  end if;
  raise exception '% before another transaction has ended, and % ms (lock_timeout or statement_timeout) are over: %.',
    what, patience, pgflow.lock_holders(flow_slug)
    using errcode = 'lock_not_available';
end
$$;

comment on function pgflow.wait_for_lock(text) is
  'Waits for a lock until commit; after a second it says who has it';
