-- old code: works

set local check_function_bodies to off;

drop function pgflow.prune(interval, integer);

CREATE FUNCTION pgflow.prune(older_than interval, most integer DEFAULT 1000, OUT runs bigint, OUT events bigint, OUT deliveries bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  ended_before constant timestamptz := now() - older_than;
begin
  if ended_before is null or ended_before > now() - interval '1 day' then
    raise exception 'Runs are deleted that ended before %; what ended today may still be read, so write one day or more.',
      coalesce(older_than::text, 'null')
      using errcode = 'invalid_parameter_value';
  end if;
  perform pgflow.refuse_unless_all_is_seen('delete old runs');
  -- Dagster may still have these runs: what is read anew of them starts nothing again.
  update pgflow.store as store
  set pruned_before = ended_before
  where store.pruned_before is null or store.pruned_before < ended_before;
  runs := pgflow.delete_runs(array(
    select run.run_id
    from pgflow.runs as run
    where run.status in ('completed', 'failed', 'cancelled')
      and coalesce(run.completed_at, run.failed_at, run.updated_at) < ended_before
    order by run.id
    limit prune.most
    for update skip locked
  ));
  delete from pgflow.trigger_events as event
  where event.event_id in (
    select old.event_id
    from pgflow.trigger_events as old
    where old.happened_at < ended_before
      and not exists (
        select
        from pgflow.trigger_outcomes as outcome
        where outcome.event_id = old.event_id and outcome.outcome = 'pending'
      )
    order by old.event_id
    limit prune.most
    for update skip locked
  );
  get diagnostics events = row_count;
  delete from pgflow.webhook_deliveries as delivery
  where delivery.delivery_id in (
    select old.delivery_id
    from pgflow.webhook_deliveries as old
    where old.ended_at < ended_before
      and not exists (select from pgflow.runs as run where run.run_id = old.run_id)
    limit prune.most
    for update skip locked
  );
  get diagnostics deliveries = row_count;
end
$$;

COMMENT ON FUNCTION pgflow.prune(older_than interval, most integer, OUT runs bigint, OUT events bigint, OUT deliveries bigint) IS 'Deletes runs that are over for so long, with all that is known of them, and as old events of triggers and webhooks, so many of each at once; returns how many. Call it until all are 0';

REVOKE ALL ON FUNCTION pgflow.prune(older_than interval, most integer, OUT runs bigint, OUT events bigint, OUT deliveries bigint) FROM PUBLIC;
