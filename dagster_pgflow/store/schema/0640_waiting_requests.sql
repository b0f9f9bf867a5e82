create view pgflow.waiting_requests as
with under_way as (
  select request.flow_slug, request.concurrency_key, count(*) as runs
  from pgflow.run_requests as request
  where request.handed_over_at is not null
    and request.refused_at is null
    and request.ended_at is null
  group by request.flow_slug, request.concurrency_key
)
select
  request.run_id,
  request.flow_slug,
  request.concurrency_key,
  request.priority,
  request.created_at,
  case
    when request.handed_over_at is not null then 'Dagster was asked to start it'
    when request.awaits_key then 'its concurrency key is not computed yet'
    when of_flow.runs >= flow.opt_max_concurrent_runs then format(
      'flow "%s" has %s of at most %s under way',
      flow.flow_slug, of_flow.runs, flow.opt_max_concurrent_runs
    )
    when of_key.runs >= flow.opt_max_concurrent_runs_per_key then format(
      'flow "%s" has %s of at most %s under way for the key %s',
      flow.flow_slug, of_key.runs, flow.opt_max_concurrent_runs_per_key, of_key.concurrency_key
    )
    else 'it has its turn as soon as somebody takes requests'
  end as waits_for,
  request.handed_over_at is null
    and (
      coalesce(of_flow.runs >= flow.opt_max_concurrent_runs, false)
      or coalesce(of_key.runs >= flow.opt_max_concurrent_runs_per_key, false)
    ) as is_held_by_limit
from pgflow.run_requests as request
join pgflow.runs as run on run.run_id = request.run_id
left join pgflow.flows as flow on flow.flow_slug = request.flow_slug
left join (
  select flow_slug, sum(runs) as runs from under_way group by flow_slug
) as of_flow on of_flow.flow_slug = request.flow_slug
left join under_way as of_key
  on of_key.flow_slug = request.flow_slug and of_key.concurrency_key = request.concurrency_key
where request.refused_at is null
  and request.ended_at is null
  and run.status = 'queued'
  and run.dagster_run_id is null;

comment on view pgflow.waiting_requests is 'The requests that Dagster has no run of yet, and why';
