-- It looks again and again, since a function cannot listen; between two looks it holds no lock.
create function pgflow.wait_for(run_id uuid, timeout interval default interval '1 minute')
returns pgflow.runs
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  run pgflow.runs;
  ends_at constant timestamptz := clock_timestamp()
    + least(coalesce(wait_for.timeout, interval '1 minute'), interval '30 days');
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'A transaction that is % never sees the end of a run; call wait_for in one that is read committed.',
      current_setting('transaction_isolation')
      using errcode = 'invalid_transaction_state';
  end if;
  loop
    select existing.* into run
    from pgflow.runs as existing
    where existing.run_id = wait_for.run_id;
    if not found then
      raise exception 'There is no run %.', coalesce(wait_for.run_id::text, 'without an id')
        using errcode = 'no_data_found';
    end if;
    if run.status in ('completed', 'failed', 'cancelled') or clock_timestamp() >= ends_at then
      return run;
    end if;
    -- What began with this very transaction is its own, in whichever of its savepoints.
    if
      run.created_at = transaction_timestamp()
      and run.status = 'queued'
      and pg_current_xact_id_if_assigned() is not null
    then
      raise exception 'Run % was asked for in this transaction, and nobody sees that before it is committed; commit, then call wait_for.',
        run.run_id
        using errcode = 'invalid_transaction_state';
    end if;
    perform pg_sleep(0.02);
  end loop;
end
$$;

comment on function pgflow.wait_for(uuid, interval) is
  'Waits until a run is over, or the timeout, and returns its row as it is then';
