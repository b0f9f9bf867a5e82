create function pgflow.refuse_open_failure_step(flow_slug text) returns void
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
      when failure_step.step_slug is null then 'failure_steps_are_there'
      when failure_step.step_type = 'map' then 'failure_step_is_no_map'
      when failure_step.step_type = 'join' then 'failure_step_is_no_join'
      else 'failure_step_depends_on_its_subflow'
    end,
    format(
      'step "%s" of flow "%s" goes on with "%s" when it fails, which %s',
      step.step_slug, step.flow_slug, led.target,
      case
        when failure_step.step_slug is null then 'does not exist; add it'
        when failure_step.step_type = 'map' then 'is a map step; let a single or subflow step do it'
        when failure_step.step_type = 'join' then 'is a join; let a single or subflow step do it'
        else 'does not depend on it; add that dependency'
      end
    )
  into broken_constraint, problem
  from pgflow.contained_flows(refuse_open_failure_step.flow_slug) as contained (slug)
  join pgflow.steps as step
    on step.flow_slug = contained.slug and step.settings ?| array['on_failure', 'on_timeout']
  cross join lateral pgflow.failure_steps_of(step) as led
  left join pgflow.steps as failure_step
    on failure_step.flow_slug = step.flow_slug and failure_step.step_slug = led.target
  where failure_step.step_slug is null
    or failure_step.step_type in ('map', 'join')
    or not exists (
      select from pgflow.deps as dep
      where dep.flow_slug = step.flow_slug
        and dep.dep_slug = step.step_slug
        and dep.step_slug = led.target
    )
  order by step.flow_slug, step.step_index, led.field
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

comment on function pgflow.refuse_open_failure_step(text) is
  'Raises when a step, here or further inside, goes on with one that cannot follow it';
