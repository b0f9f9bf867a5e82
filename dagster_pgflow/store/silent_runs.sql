-- name: fetch_silent_runs
-- Runs under way in which nothing has happened for a while, and of which nobody has asked since;
-- one that waits is none of them, unless it goes on in a Dagster run that has not begun.
select
  run.dagster_run_id,
  run.flow_slug,
  extract(epoch from clock_timestamp() - seen.last_at) as silence,
  (
    select coalesce(max(step.initial_tasks), 1)
    from pgflow.step_states as step
    where step.run_id = run.run_id
  ) as tasks
from pgflow.runs as run
join pgflow.run_cursors as run_cursor on run_cursor.dagster_run_id = run.dagster_run_id
left join pgflow.run_continuations as going_on
  on going_on.run_id = run.run_id
  and going_on.ended_at is null
  and going_on.dagster_run_id is not null
  and run.status = 'waiting'
cross join lateral (
  select greatest(
    run.created_at,
    (
      select event.timestamp
      from pgflow.event_log as event
      where event.run_id = run.run_id
      order by event.sequence_num desc
      limit 1
    ),
    going_on.created_at
  ) as last_at
) as seen
where (run.status in ('queued', 'started') or going_on.created_at is not null)
  and greatest(seen.last_at, run_cursor.checked_at)
    < clock_timestamp() - make_interval(secs => :quiet)
  and (
    run_cursor.log is null
    or run_cursor.log <> all (cast((select pgflow.other_logs(cast(:own_log as text))) as text[]))
  )
order by greatest(seen.last_at, run_cursor.checked_at), run.dagster_run_id
limit :limit;

-- name: note_checked_runs
-- Note that Dagster was asked about runs.
update pgflow.run_cursors
set checked_at = clock_timestamp()
where dagster_run_id = any (cast(:dagster_run_ids as uuid[]));

-- name: call_runs
-- Have the projection look at runs before all others, whatever it knows of them.
update pgflow.run_cursors
set due_at = '-infinity', is_final = false
where dagster_run_id = any (cast(:dagster_run_ids as uuid[]));
