create function pgflow.hand_over(run_ids uuid[], own_log text default null)
returns setof uuid
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  others constant text[] := pgflow.other_logs(own_log);
  offered record;
  taken record;
begin
  for offered in
    select given.run_id from unnest(run_ids) with ordinality as given (run_id, place) order by place
  loop
    select request.handed_over_at, request.handed_over_to
    into taken
    from pgflow.run_requests as request
    where request.run_id = offered.run_id
      and request.refused_at is null
      and request.ended_at is null
    for update skip locked;
    continue when not found or taken.handed_over_to = any (others);
    -- A statement of its own sees what a live worker has committed until the row was locked.
    perform
    from pgflow.runs as run
    where run.run_id = offered.run_id and run.dagster_run_id is not null;
    continue when found;
    if taken.handed_over_at is null then
      select attempt.* into taken from pgflow.take_request(offered.run_id) as attempt;
      continue when not taken.is_taken;
    end if;
    -- Each time in another order: Dagster 1.13 launches in the order of a tick, and one that fails
    -- ends the tick.
    update pgflow.run_requests as request
    set handed_over_to = own_log, handed_over_at = statement_timestamp()
      + interval '1 microsecond'
      * get_byte(
        decode(md5(request.run_id::text || coalesce(request.handed_over_at::text, '')), 'hex'), 0
      )
    where request.run_id = offered.run_id;
    return next offered.run_id;
  end loop;
end
$$;

comment on function pgflow.hand_over(uuid[], text) is
  'Notes that requests are given to a Dagster, and returns those that may be: not over, within the limits, and with no other';
