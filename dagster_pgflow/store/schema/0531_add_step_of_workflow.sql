create function pgflow.add_step(
  p_workflow_slug varchar,
  p_step_slug varchar,
  p_depends_on text[] default '{}',
  p_step_type text default 'single',
  p_initial_tasks integer default null,
  p_max_attempts integer default null,
  p_timeout integer default null
) returns table (
  workflow_slug text,
  step_slug text,
  step_type text,
  step_index integer,
  deps_count integer,
  initial_tasks integer,
  max_attempts integer,
  timeout integer,
  created_at timestamptz
)
language sql
security definer
set search_path to pg_catalog, pg_temp
as $$
  select
    step.flow_slug, step.step_slug, step.step_type, step.step_index, step.deps_count,
    step.initial_tasks, step.opt_max_attempts, step.opt_timeout, step.created_at
  from pgflow.add_step(
    flow_slug => p_workflow_slug::text,
    step_slug => p_step_slug::text,
    deps_slugs => p_depends_on,
    max_attempts => p_max_attempts,
    timeout => p_timeout,
    step_type => p_step_type,
    initial_tasks => p_initial_tasks
  ) as step
$$;

comment on function pgflow.add_step(varchar, varchar, text[], text, integer, integer, integer) is
  'add_step for callers who speak of workflows';
