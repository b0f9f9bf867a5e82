-- A flow that needs nothing but SQL to exist, in the words of workflows:
--
--     fetch -> process (a map: one task a number) -> save
--
-- Its handlers are found by their names, ai_workflow.fetch and so on. To start it:
--
--     select * from pgflow.start_flow('ai_workflow', '{"count": 100}');

select * from pgflow.create_flow(p_workflow_slug => 'ai_workflow', p_timeout => 60);

select * from pgflow.add_step(
  p_workflow_slug => 'ai_workflow',
  p_step_slug => 'fetch'
);

select * from pgflow.add_step(
  p_workflow_slug => 'ai_workflow',
  p_step_slug => 'process',
  p_depends_on => array['fetch'],
  p_step_type => 'map',
  p_initial_tasks => 100
);

select * from pgflow.add_step(
  p_workflow_slug => 'ai_workflow',
  p_step_slug => 'save',
  p_depends_on => array['process']
);

update pgflow.flows
set description = 'Fetches numbers, doubles each, saves them all; defined in SQL alone.'
where flow_slug = 'ai_workflow';
