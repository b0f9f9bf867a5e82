create function pgflow.fire_trigger(trigger_id bigint, event_id bigint, input jsonb default null)
returns text
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  most_depth constant integer := 100;
  waiting pgflow.trigger_outcomes;
  firing pgflow.triggers;
  event pgflow.trigger_events;
  run pgflow.runs;
  given jsonb;
  depth integer;
  verdict text := 'failed';
  why text;
begin
  select outcome.* into waiting
  from pgflow.trigger_outcomes as outcome
  where outcome.trigger_id = fire_trigger.trigger_id and outcome.event_id = fire_trigger.event_id
  for update;
  if waiting.outcome is distinct from 'pending' then
    return waiting.outcome;
  end if;
  select known.* into event
  from pgflow.trigger_events as known
  where known.event_id = waiting.event_id;
  select existing.* into firing
  from pgflow.triggers as existing
  where existing.trigger_id = waiting.trigger_id;
  perform pgflow.refuse_foreign_flow(firing.target_flow);
  given := coalesce(fire_trigger.input, pgflow.event_of(event.event_id));
  select coalesce(max(request.trigger_depth), 0) + 1 into depth
  from pgflow.run_requests as request
  where request.run_id = event.run_id;
  if firing.enabled is not true then
    verdict := 'dropped';
    why := format(
      'The trigger was %s before it looked at this event.',
      case when firing.trigger_id is null then 'deleted' else 'turned off' end
    );
  elsif given is null then
    why := format('Run %s was deleted before the trigger looked at its end.', event.run_id);
  elsif depth > most_depth then
    verdict := 'refused';
    why := format(
      'This would be run %s of a chain in which each run was started by a trigger on the one before; a chain ends after %s.',
      depth, most_depth
    );
  else
    begin
      run := pgflow.start_flow(
        firing.target_flow,
        given,
        pgflow.run_of_trigger(waiting.trigger_id, event.type, event.source)
      );
      update pgflow.run_requests as request
      set trigger_depth = depth, triggered_by = firing.name
      where request.run_id = run.run_id;
      verdict := 'fired';
    exception
      when others then
        -- What passes says nothing of the trigger: it is tried again.
        if left(sqlstate, 2) in ('08', '25', '40', '53', '55', '57', '58', 'XX') then
          raise;
        end if;
        run := null;
        why := sqlerrm;
    end;
  end if;
  update pgflow.trigger_outcomes as outcome
  set outcome = verdict, run_id = run.run_id, reason = why, decided_at = clock_timestamp()
  where outcome.trigger_id = waiting.trigger_id and outcome.event_id = waiting.event_id;
  return verdict;
end
$$;

comment on function pgflow.fire_trigger(bigint, bigint, jsonb) is
  'Starts what a trigger starts at an event, with this input or the whole event, once; returns the outcome';
