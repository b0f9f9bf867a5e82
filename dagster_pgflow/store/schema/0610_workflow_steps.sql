create view pgflow.workflow_steps as
select
  flow_slug as workflow_slug,
  step_slug,
  step_type,
  step_index,
  deps_count,
  initial_tasks,
  opt_max_attempts as max_attempts,
  opt_timeout as timeout,
  created_at
from pgflow.steps;

comment on view pgflow.workflow_steps is 'pgflow.steps in the words of workflows; updatable';
