create function pgflow.refuse_bad_routes(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  problem text;
begin
  if step.step_type in ('branch', 'loop') then
    select found.broken_constraint, found.problem into broken_constraint, problem
    from pgflow.route_problem(step, deps_slugs) as found
    limit 1;
  end if;
  if problem is null then
    select
      case
        when route.target = step.step_slug then 'target_depends_on_what_leads_to_it'
        else 'target_is_no_failure_step'
      end,
      case
        when route.target = step.step_slug then format(
          'is what "%s" leads to in %s, so it must depend on it; add "%s" to deps_slugs',
          decider.step_slug, route.field, decider.step_slug
        )
        else format(
          'goes on with "%s" when it fails, which "%s" leads to in %s; name a step of its own',
          route.target, decider.step_slug, route.field
        )
      end
    into broken_constraint, problem
    from pgflow.steps as decider
    cross join lateral pgflow.routes_of(decider) as route
    where decider.flow_slug = step.flow_slug
      and decider.step_type in ('branch', 'loop')
      and (
        (route.target = step.step_slug and decider.step_slug <> all (deps_slugs))
        or route.target in (step.settings ->> 'on_failure', step.settings ->> 'on_timeout')
      )
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_routes(pgflow.steps, text[]) is
  'Raises when a step leads where it cannot, or does not depend on the step that leads to it';
