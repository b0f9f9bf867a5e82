create function pgflow.refuse_open_way(flow_slug text) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  mistake text;
begin
  with recursive contained (slug) as (
    select refuse_open_way.flow_slug
    union
    select step.subflow_slug
    from contained
    join pgflow.steps as step on step.flow_slug = contained.slug
    where step.subflow_slug is not null
  )
  select format(
    'step "%s" of flow "%s" leads to "%s", which %s',
    step.step_slug, step.flow_slug, way.target,
    case
      when target.step_slug is null then 'does not exist; add it'
      else 'does not depend on it; add that dependency'
    end
  ) into mistake
  from contained
  join pgflow.steps as step
    on step.flow_slug = contained.slug and step.step_type in ('branch', 'loop')
  cross join lateral pgflow.ways_of(step) as way
  left join pgflow.steps as target
    on target.flow_slug = step.flow_slug and target.step_slug = way.target
  where not exists (
    select from pgflow.deps as dep
    where dep.flow_slug = step.flow_slug
      and dep.dep_slug = step.step_slug
      and dep.step_slug = way.target
  )
  order by step.flow_slug, step.step_index
  limit 1;
  if mistake is not null then
    raise exception 'Flow "%" cannot start: %.', flow_slug, mistake
      using errcode = 'object_not_in_prerequisite_state', constraint = 'ways_lead_to_steps';
  end if;
end
$$;

comment on function pgflow.refuse_open_way(text) is
  'Raises when a branch or a loop of a flow, or of one that it contains, leads to no step behind it';
