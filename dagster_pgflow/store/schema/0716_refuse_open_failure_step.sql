create function pgflow.refuse_open_failure_step(flow_slug text) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  mistake text;
begin
  with recursive contained (slug) as (
    select refuse_open_failure_step.flow_slug
    union
    select step.subflow_slug
    from contained
    join pgflow.steps as step on step.flow_slug = contained.slug
    where step.subflow_slug is not null
  )
  select format(
    'step "%s" of flow "%s" goes on with "%s" when it fails, which %s',
    step.step_slug, step.flow_slug, step.on_failure,
    case
      when failure_step.step_slug is null then 'does not exist; add it'
      when failure_step.step_type = 'map' then 'is a map step; let a single or subflow step do it'
      when failure_step.step_type = 'join' then 'is a join; let a single or subflow step do it'
      else 'does not depend on it; add that dependency'
    end
  ) into mistake
  from contained
  join pgflow.steps as step on step.flow_slug = contained.slug and step.on_failure is not null
  left join pgflow.steps as failure_step
    on failure_step.flow_slug = step.flow_slug and failure_step.step_slug = step.on_failure
  where failure_step.step_slug is null
    or failure_step.step_type in ('map', 'join')
    or not exists (
      select from pgflow.deps as dep
      where dep.flow_slug = step.flow_slug
        and dep.dep_slug = step.step_slug
        and dep.step_slug = step.on_failure
    )
  order by step.flow_slug, step.step_index
  limit 1;
  if mistake is not null then
    raise exception 'Flow "%" cannot start: %.', flow_slug, mistake
      using errcode = 'object_not_in_prerequisite_state', constraint = 'failure_steps_are_there';
  end if;
end
$$;

comment on function pgflow.refuse_open_failure_step(text) is
  'Raises when a subflow step, here or further inside, goes on with a step that cannot follow it';
