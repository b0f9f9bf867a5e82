-- What a branch or a loop leads to stands behind it, so that it is named before it is there. Whether
-- it came is asked when the flow is started.
create function pgflow.route_problem(step pgflow.steps, deps_slugs text[])
returns table (broken_constraint text, problem text)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select
    case
      when route.target is null then 'paths_name_steps'
      when route.target = step.step_slug then 'target_is_another_step'
      when not pgflow.is_valid_slug(route.target) then 'steps_step_slug_check'
      when routed.step_slug is not null then 'target_is_no_failure_step'
      when pgflow.steps_between(step.flow_slug, route.target, deps_slugs) = '{}'
        then 'target_depends_on_what_leads_to_it'
      else 'target_comes_after_what_leads_to_it'
    end,
    case
      when route.target is null then
        format('leads to null in %s; name a step', route.field)
      when route.target = step.step_slug then
        format('leads to itself in %s; name a step that is added after it', route.field)
      when not pgflow.is_valid_slug(route.target) then
        format('leads to "%s" in %s, which is not a valid step slug', route.target, route.field)
      when routed.step_slug is not null then format(
        'leads to "%s" in %s, which is there for the failure of "%s"; let it lead to a step of its own',
        route.target, route.field, routed.step_slug
      )
      else format(
        'leads to "%s" in %s, which was added before it and so does not depend on it; add that step after this one',
        route.target, route.field
      )
    end
  from pgflow.routes_of(step) as route
  left join pgflow.steps as earlier
    on earlier.flow_slug = step.flow_slug and earlier.step_slug = route.target
  left join lateral (
    select other.step_slug
    from pgflow.steps as other
    where other.flow_slug = step.flow_slug
      and (
        other.settings ->> 'on_failure' = route.target
        or other.settings ->> 'on_timeout' = route.target
      )
    order by other.step_index
    limit 1
  ) as routed on true
  where route.target is null
    or route.target = step.step_slug
    or not pgflow.is_valid_slug(route.target)
    or routed.step_slug is not null
    or earlier.step_slug is not null
$$;

comment on function pgflow.route_problem(pgflow.steps, text[]) is
  'What is wrong with the steps that a branch or a loop leads to, before they are there';
