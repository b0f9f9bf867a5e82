-- old code: works

set local check_function_bodies to off;

drop function pgflow.runs_to_go_on(interval, uuid);

drop function pgflow.claim_continuation(interval);

CREATE OR REPLACE FUNCTION pgflow.cancel_waiting_run(run_id uuid) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  status text;
  under_way pgflow.run_continuations;
begin
  perform pg_advisory_xact_lock(pgflow.lock_of_continuations(cancel_waiting_run.run_id));
  select run.status into status
  from pgflow.runs as run
  where run.run_id = cancel_waiting_run.run_id;
  if not found then
    raise exception 'There is no run %.', coalesce(cancel_waiting_run.run_id::text, 'without an id')
      using errcode = 'no_data_found';
  elsif status <> 'waiting' then
    return false;
  end if;
  select continuation.* into under_way
  from pgflow.run_continuations as continuation
  where continuation.run_id = cancel_waiting_run.run_id and continuation.ended_at is null;
  -- One that nobody has claimed has no Dagster run that could do something.
  if under_way.kind = 'cancel' or under_way.claimed_at is not null then
    return under_way.kind = 'cancel';
  end if;
  perform pgflow.close_wait(wait.wait_id, 'cancelled')
  from (
    select open.wait_id
    from pgflow.waits as open
    where open.run_id = cancel_waiting_run.run_id and open.status = 'open'
    order by open.wait_id
    for update
  ) as wait;
  update pgflow.run_continuations as instead
  set kind = 'cancel', not_before = null
  where instead.run_id = cancel_waiting_run.run_id and instead.ended_at is null;
  if not found then
    insert into pgflow.run_continuations (run_id, number, kind)
    select cancel_waiting_run.run_id, 1 + coalesce(max(before.number), 0), 'cancel'
    from pgflow.run_continuations as before
    where before.run_id = cancel_waiting_run.run_id;
  end if;
  perform pg_notify('pgflow_runs', cancel_waiting_run.run_id::text);
  return true;
end
$$;

CREATE FUNCTION pgflow.claim_continuation(lease interval DEFAULT '00:01:00'::interval, in_queue boolean DEFAULT true, only_before timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS TABLE(run_id uuid, number integer, kind text, flow_slug text, dagster_run_id uuid)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  candidate uuid;
  claimed pgflow.run_continuations;
begin
  perform pgflow.match_signals();
  for candidate in
    select ready.run_id
    from pgflow.runs_to_go_on(lease, null, in_queue) as ready
    where only_before is null
      or ready.since < only_before
      or exists (
        select
        from pgflow.run_continuations as queued
        where queued.run_id = ready.run_id and queued.ended_at is null and queued.needs_queue
      )
  loop
    continue when not pg_try_advisory_xact_lock(pgflow.lock_of_continuations(candidate));
    -- Another one may have had it since, and be done: it is looked at anew.
    continue when not exists (select from pgflow.runs_to_go_on(lease, candidate, in_queue));
    update pgflow.run_continuations as again
    set claimed_at = clock_timestamp()
    where again.run_id = candidate and again.ended_at is null
    returning again.* into claimed;
    if not found then
      insert into pgflow.run_continuations as first (run_id, number, kind, claimed_at)
      select candidate, 1 + coalesce(max(before.number), 0), 'resume', clock_timestamp()
      from pgflow.run_continuations as before
      where before.run_id = candidate
      returning first.* into claimed;
    end if;
    return query
    select
      run.run_id,
      claimed.number,
      claimed.kind,
      run.flow_slug,
      coalesce(
        (
          select before.dagster_run_id
          from pgflow.run_continuations as before
          where before.run_id = run.run_id
            and before.number < claimed.number
            and before.dagster_run_id is not null
          order by before.number desc
          limit 1
        ),
        run.dagster_run_id
      )
    from pgflow.runs as run
    where run.run_id = candidate;
    return;
  end loop;
end
$$;

COMMENT ON FUNCTION pgflow.claim_continuation(lease interval, in_queue boolean, only_before timestamp with time zone) IS 'Takes the run that is to go on next, until the end of the transaction for this session alone; one that was taken and has not gone on is taken again after the lease, under the same number. Those for the queue can be left out, and so can others that are ready only since a moment';

CREATE FUNCTION pgflow.runs_to_go_on(lease interval, wanted uuid DEFAULT NULL::uuid, in_queue boolean DEFAULT NULL::boolean) RETURNS TABLE(run_id uuid, since timestamp with time zone)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  moment constant timestamptz := clock_timestamp();
begin
  return query
  select ready.run_id, min(ready.since) as since
  from (
    select continuation.run_id, continuation.created_at as since
    from pgflow.run_continuations as continuation
    where continuation.ended_at is null
    union all
    select wait.run_id, wait.closed_at
    from pgflow.waits as wait
    where wait.status <> 'open' and wait.taken_at is null
    union all
    select wait.run_id, wait.due_at
    from pgflow.waits as wait
    where wait.status = 'open' and wait.due_at <= moment
  ) as ready
  where (wanted is null or ready.run_id = wanted)
    and exists (
      select from pgflow.runs as run where run.run_id = ready.run_id and run.status = 'waiting'
    )
    and not exists (
      select
      from pgflow.run_continuations as under_way
      where under_way.run_id = ready.run_id
        and under_way.ended_at is null
        and (
          under_way.claimed_at > moment - lease
          or under_way.not_before > moment
          or (under_way.needs_queue and not in_queue)
        )
    )
  group by ready.run_id
  order by since, ready.run_id;
end
$$;

COMMENT ON FUNCTION pgflow.runs_to_go_on(lease interval, wanted uuid, in_queue boolean) IS 'The runs that wait and can go on, and since when, the oldest first; with an id, whether that one can; without those for the queue, if asked';

alter table pgflow.run_continuations add column needs_queue boolean DEFAULT false NOT NULL;

alter table pgflow.run_continuations add column tries integer DEFAULT 0 NOT NULL;

alter table pgflow.run_continuations add column problem text;

alter table pgflow.run_continuations add column not_before timestamp with time zone;

COMMENT ON COLUMN pgflow.run_continuations.needs_queue IS 'Whether it is for Dagster''s queue, and live workers leave it alone';

COMMENT ON COLUMN pgflow.run_continuations.tries IS 'How often it could not go on';

COMMENT ON COLUMN pgflow.run_continuations.problem IS 'Why the run cannot go on, as far as somebody has tried; it is tried again';

COMMENT ON COLUMN pgflow.run_continuations.not_before IS 'When it is tried again, after it could not go on';

REVOKE ALL ON FUNCTION pgflow.claim_continuation(lease interval, in_queue boolean, only_before timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.runs_to_go_on(lease interval, wanted uuid, in_queue boolean) FROM PUBLIC;
