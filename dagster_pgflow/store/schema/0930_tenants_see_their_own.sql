-- Made here, and at work only once isolate_tenants() turns row level security on. A policy that asks
-- another table is bound by the policies of that one.
create policy tenants_see_their_own on pgflow.flows
using (array[tags ->> 'tenant', '*'] && (select pgflow.seen_tenants()));

create policy tenants_see_their_own on pgflow.flow_versions
using (array[definition #>> '{tags,tenant}', '*'] && (select pgflow.seen_tenants()));

create policy tenants_see_their_own on pgflow.steps
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.flows as flow where flow.flow_slug = steps.flow_slug)
);

create policy tenants_see_their_own on pgflow.deps
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.flows as flow where flow.flow_slug = deps.flow_slug)
);

create policy tenants_see_their_own on pgflow.schedules
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.flows as flow where flow.flow_slug = schedules.flow_slug)
);

create policy tenants_see_their_own on pgflow.triggers
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.flows as flow where flow.flow_slug = triggers.target_flow)
);

create policy tenants_see_their_own on pgflow.trigger_outcomes
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (
    select from pgflow.triggers as listening
    where listening.trigger_id = trigger_outcomes.trigger_id
  )
);

create policy tenants_see_their_own on pgflow.trigger_events
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (
    select from pgflow.trigger_outcomes as outcome
    where outcome.event_id = trigger_events.event_id
  )
);

create policy tenants_see_their_own on pgflow.runs
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (
    select
    from pgflow.flow_versions as pinned
    where pinned.flow_slug = runs.flow_slug and pinned.version = runs.flow_version
  )
);

create policy tenants_see_their_own on pgflow.run_requests
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = run_requests.run_id)
);

create policy tenants_see_their_own on pgflow.waits
using (array[tenant, '*'] && (select pgflow.seen_tenants()));

create policy tenants_see_their_own on pgflow.signals
using (tenants || array['*'] && (select pgflow.seen_tenants()));

create policy tenants_see_their_own on pgflow.run_continuations
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = run_continuations.run_id)
);

create policy tenants_see_their_own on pgflow.webhook_deliveries
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = webhook_deliveries.run_id)
);

create policy tenants_see_their_own on pgflow.step_states
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = step_states.run_id)
);

create policy tenants_see_their_own on pgflow.step_tasks
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = step_tasks.run_id)
);

create policy tenants_see_their_own on pgflow.node_executions
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = node_executions.run_id)
);

create policy tenants_see_their_own on pgflow.event_log
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = event_log.run_id)
);

create policy tenants_see_their_own on pgflow.applied_keys
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = applied_keys.run_id)
);

create policy tenants_see_their_own on pgflow.run_counter_snapshots
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = run_counter_snapshots.run_id)
);

create policy tenants_see_their_own on pgflow.pending_tokens
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = pending_tokens.run_id)
);

create policy tenants_see_their_own on pgflow.loop_state
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = loop_state.run_id)
);

create policy tenants_see_their_own on pgflow.run_statistics
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = run_statistics.run_id)
);

create policy tenants_see_their_own on pgflow.worker_registry
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.run_id = worker_registry.run_id)
);

create policy tenants_see_their_own on pgflow.subruns
using (
  '*' = any ((select pgflow.seen_tenants())::text[])
  or exists (select from pgflow.runs as run where run.id = subruns.parent_run_id)
);

create policy tenants_see_their_own on pgflow.circuit_breakers
using (array[tenant, '*'] && (select pgflow.seen_tenants()));

create policy tenants_see_their_own on pgflow.bulkheads
using (array[tenant, '*'] && (select pgflow.seen_tenants()));

create policy tenants_see_their_own on pgflow.rate_limiters
using (array[tenant, '*'] && (select pgflow.seen_tenants()));

create policy tenants_see_their_own on pgflow.guarded_calls
using (array[tenant, '*'] && (select pgflow.seen_tenants()));

create policy only_who_sees_all on pgflow.step_outputs
using ('*' = any ((select pgflow.seen_tenants())::text[]));

create policy only_who_sees_all on pgflow.run_cursors
using ('*' = any ((select pgflow.seen_tenants())::text[]));

create policy only_who_sees_all on pgflow.projection_cursors
using ('*' = any ((select pgflow.seen_tenants())::text[]));

create policy only_who_sees_all on pgflow.unpublished_flows
using ('*' = any ((select pgflow.seen_tenants())::text[]));

create policy only_who_sees_all on pgflow.live_workers
using ('*' = any ((select pgflow.seen_tenants())::text[]));

create policy only_who_sees_all on pgflow.live_runs
using ('*' = any ((select pgflow.seen_tenants())::text[]));

create policy only_who_sees_all on pgflow.asset_cursors
using ('*' = any ((select pgflow.seen_tenants())::text[]));

create policy only_who_sees_all on pgflow.dagster_logs
using ('*' = any ((select pgflow.seen_tenants())::text[]));
