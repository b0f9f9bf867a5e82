create function pgflow.refuse_open_route(flow_slug text) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  problem text;
begin
  select
    case
      when target.step_slug is null then 'routes_lead_to_steps'
      else 'target_depends_on_what_leads_to_it'
    end,
    format(
      'step "%s" of flow "%s" leads to "%s", which %s',
      step.step_slug, step.flow_slug, route.target,
      case
        when target.step_slug is null then 'does not exist; add it'
        else 'does not depend on it; add that dependency'
      end
    )
  into broken_constraint, problem
  from pgflow.contained_flows(refuse_open_route.flow_slug) as contained (slug)
  join pgflow.steps as step
    on step.flow_slug = contained.slug and step.step_type in ('branch', 'loop')
  cross join lateral pgflow.routes_of(step) as route
  left join pgflow.steps as target
    on target.flow_slug = step.flow_slug and target.step_slug = route.target
  where not exists (
    select from pgflow.deps as dep
    where dep.flow_slug = step.flow_slug
      and dep.dep_slug = step.step_slug
      and dep.step_slug = route.target
  )
  order by step.flow_slug, step.step_index
  limit 1;
  if problem is not null then
    raise exception 'Flow "%" cannot start: %.', flow_slug, problem
      using
        errcode = 'object_not_in_prerequisite_state',
        constraint = broken_constraint,
        detail = pgflow.problem_code(broken_constraint);
  end if;
end
$$;

comment on function pgflow.refuse_open_route(text) is
  'Raises when a branch or a loop of a flow, or of one that it contains, leads to no step behind it';
