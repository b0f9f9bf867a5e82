create function pgflow.refuse_unknown_subflow(step pgflow.steps) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
begin
  if step.subflow_slug is not null and not exists (
    select from pgflow.flows as flow where flow.flow_slug = step.subflow_slug
  ) then
    raise exception 'Step "%" of flow "%" runs flow "%", which does not exist; create that flow first.',
      step.step_slug, step.flow_slug, step.subflow_slug
      using
        errcode = 'foreign_key_violation',
        constraint = 'subflow_exists',
        detail = pgflow.problem_code('subflow_exists');
  end if;
end
$$;
