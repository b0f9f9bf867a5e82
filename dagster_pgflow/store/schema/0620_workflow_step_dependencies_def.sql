create view pgflow.workflow_step_dependencies_def as
select
  flow_slug as workflow_slug,
  dep_slug,
  step_slug,
  created_at
from pgflow.deps;

comment on view pgflow.workflow_step_dependencies_def is
  'pgflow.deps in the words of workflows; updatable';
