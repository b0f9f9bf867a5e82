-- What a branch or a loop leads to stands behind it, so that it is named before it is there. Whether
-- it came is asked when the flow is started.
create function pgflow.way_problem(step pgflow.steps)
returns table (broken_constraint text, mistake text)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select
    case
      when way.target is null then 'paths_name_steps'
      when way.target = step.step_slug then 'target_is_another_step'
      when not pgflow.is_valid_slug(way.target) then 'steps_step_slug_check'
      when routed.step_slug is not null then 'target_is_no_failure_step'
      else 'target_depends_on_what_leads_to_it'
    end,
    case
      when way.target is null then
        format('leads to null in %s; name a step', way.field)
      when way.target = step.step_slug then
        format('leads to itself in %s; name a step that is added after it', way.field)
      when not pgflow.is_valid_slug(way.target) then
        format('leads to "%s" in %s, which is no valid step slug', way.target, way.field)
      when routed.step_slug is not null then format(
        'leads to "%s" in %s, which is there for the failure of "%s"; let it lead to a step of its own',
        way.target, way.field, routed.step_slug
      )
      else format(
        'leads to "%s" in %s, which was added before it and so does not depend on it; add that step after this one',
        way.target, way.field
      )
    end
  from pgflow.ways_of(step) as way
  left join pgflow.steps as earlier
    on earlier.flow_slug = step.flow_slug and earlier.step_slug = way.target
  left join pgflow.steps as routed
    on routed.flow_slug = step.flow_slug and routed.on_failure = way.target
  where way.target is null
    or way.target = step.step_slug
    or not pgflow.is_valid_slug(way.target)
    or routed.step_slug is not null
    or earlier.step_slug is not null
$$;

comment on function pgflow.way_problem(pgflow.steps) is
  'What is wrong with the steps that a branch or a loop leads to, before they are there';
