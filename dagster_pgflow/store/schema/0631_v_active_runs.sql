create view pgflow.v_active_runs as
select
  run.id,
  run.run_id,
  run.dagster_run_id,
  run.flow_slug,
  run.flow_version,
  run.status,
  run.created_at,
  run.started_at,
  run.updated_at,
  coalesce(run.remaining_steps, 0) as remaining_steps,
  newest.counter as tokens,
  coalesce(steps.under_way, 0) as steps_under_way,
  coalesce(waiting.joins, 0) as joins_waiting
from pgflow.runs as run
left join lateral (
  select snapshot.counter
  from pgflow.run_counter_snapshots as snapshot
  where snapshot.run_id = run.run_id
  order by snapshot.sequence_num desc
  limit 1
) as newest on true
left join lateral (
  select count(*) as under_way
  from pgflow.step_states as step
  where step.run_id = run.run_id and step.status = 'started' and step.step_type <> 'subflow'
) as steps on true
left join lateral (
  select count(distinct pending.node) as joins
  from pgflow.pending_tokens as pending
  where pending.run_id = run.run_id
) as waiting on true
where run.status in ('queued', 'started', 'waiting');

comment on view pgflow.v_active_runs is 'The runs that are not over, and how far they are';
