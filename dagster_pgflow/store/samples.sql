-- name: fetch_sampled_runs
-- The input and output of the latest completed runs of a flow, the newest first.
select run.run_id, cast(run.input as text) as input, cast(run.output as text) as output
from pgflow.runs as run
where run.flow_slug = :flow_slug and run.status = 'completed'
order by run.id desc
limit cast(:limit as bigint);

-- name: fetch_sampled_steps
-- What completed steps of some runs returned; steps of flows inside and of iterations are left out.
select state.run_id, state.step_slug, cast(state.output as text) as output
from pgflow.step_states as state
where state.run_id = any(cast(:run_ids as uuid[]))
  and state.step_path = state.step_slug
  and state.status = 'completed'
  and pg_column_size(state.output) < cast(:most_bytes as bigint);
