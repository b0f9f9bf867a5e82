-- Of two that take requests of one flow with a limit, the second must see what the first has taken.
-- Nobody waits here, so nobody waits for each other: who finds the line busy goes to another one.
create function pgflow.take_request(
  run_id uuid,
  out is_taken boolean,
  out line bigint,
  out is_busy boolean
)
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  room record;
begin
  is_taken := false;
  is_busy := false;
  select
    hashtextextended(
      case
        when flow.opt_max_concurrent_runs is not null then waiting.flow_slug
        when flow.opt_max_concurrent_runs_per_key is not null
          then waiting.flow_slug || ' ' || waiting.concurrency_key
      end,
      7265717565737473
    )
  into line
  from pgflow.run_requests as waiting
  join pgflow.flows as flow on flow.flow_slug = waiting.flow_slug
  where waiting.run_id = take_request.run_id;
  if line is not null then
    is_busy := not pg_try_advisory_xact_lock(line);
    if is_busy then
      return;
    end if;
    select free.of_flow, free.of_key into room
    from pgflow.run_requests as waiting
    cross join lateral pgflow.room_for(waiting.flow_slug, waiting.concurrency_key) as free
    where waiting.run_id = take_request.run_id;
    if room.of_flow <= 0 or room.of_key <= 0 then
      return;
    end if;
  end if;
  -- By its key alone: with conditions that an index of waiting requests has, the planner may read
  -- all of that, where the statistics say that few wait.
  select
    waiting.handed_over_at is null
    and waiting.refused_at is null
    and waiting.ended_at is null
    and not waiting.awaits_key
  into is_taken
  from pgflow.run_requests as waiting
  where waiting.run_id = take_request.run_id
  for update skip locked;
  is_taken := coalesce(is_taken, false);
  if is_taken then
    update pgflow.run_requests as taken
    set
      handed_over_at = statement_timestamp(),
      turn = 1 + coalesce(
        (
          select before.turn
          from pgflow.run_requests as before
          order by before.turn desc nulls last
          limit 1
        ),
        0
      )
    where taken.run_id = take_request.run_id;
  end if;
end
$$;

comment on function pgflow.take_request(uuid) is
  'Takes a request if it still waits and there is room; line is the lock of its limit, if it has one';
