-- The same in the words of workflows. Slugs are varchar so that a call by position is not
-- ambiguous: it finds the function above.
create function pgflow.create_flow(
  p_workflow_slug varchar,
  p_max_attempts integer default 3,
  p_timeout integer default 30
) returns table (
  workflow_slug text,
  max_attempts integer,
  timeout integer,
  created_at timestamptz
)
language sql
security definer
set search_path to pg_catalog, pg_temp
as $$
  select flow.flow_slug, flow.opt_max_attempts, flow.opt_timeout, flow.created_at
  from pgflow.create_flow(
    flow_slug => p_workflow_slug::text,
    max_attempts => p_max_attempts,
    timeout => coalesce(p_timeout, 30)
  ) as flow
$$;

comment on function pgflow.create_flow(varchar, integer, integer) is
  'create_flow for callers who speak of workflows; the timeout is 30 s unless given';
