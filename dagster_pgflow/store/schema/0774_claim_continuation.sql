create function pgflow.claim_continuation(
  lease interval default interval '1 minute',
  in_queue boolean default true,
  only_before timestamptz default null,
  own_log text default null
)
returns table (run_id uuid, number integer, kind text, flow_slug text, dagster_run_id uuid)
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  candidate uuid;
  claimed pgflow.run_continuations;
begin
  perform pgflow.match_signals();
  for candidate in
    select ready.run_id
    from pgflow.runs_to_go_on(lease, null, in_queue, own_log) as ready
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
    continue when not exists (
      select from pgflow.runs_to_go_on(lease, candidate, in_queue, own_log)
    );
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

comment on function pgflow.claim_continuation(interval, boolean, timestamptz, text) is
  'Takes the run that is to go on next, until the end of the transaction for this session alone; one that was taken and has not gone on is taken again after the lease, under the same number. Those for the queue can be left out, and so can others that are ready only since a moment; those that another Dagster has than the given one are';
