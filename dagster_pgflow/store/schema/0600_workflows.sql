create view pgflow.workflows as
select
  flow_slug as workflow_slug,
  opt_max_attempts as max_attempts,
  opt_timeout as timeout,
  created_at
from pgflow.flows;

-- Workflows have 30 s where flows have 60 s.
alter view pgflow.workflows alter column timeout set default 30;

comment on view pgflow.workflows is 'pgflow.flows in the words of workflows; updatable';
