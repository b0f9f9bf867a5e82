create function pgflow.sweep_signals() returns void
language sql
set search_path to pg_catalog, pg_temp
as $$
  delete from pgflow.signals as expired
  where expired.signal_id in (
    select old.signal_id
    from pgflow.signals as old
    where old.expires_at <= statement_timestamp() and not old.is_unmatched
    order by old.expires_at, old.signal_id
    limit 100
    for update skip locked
  )
$$;

comment on function pgflow.sweep_signals() is
  'Deletes signals that have expired, not more of them at once than take no time';
