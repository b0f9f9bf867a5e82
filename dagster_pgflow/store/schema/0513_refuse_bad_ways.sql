create function pgflow.refuse_bad_ways(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  mistake text;
begin
  if step.step_type in ('branch', 'loop') then
    select problem.broken_constraint, problem.mistake into broken_constraint, mistake
    from pgflow.way_problem(step) as problem
    limit 1;
  end if;
  if mistake is null then
    select
      case
        when way.target = step.step_slug then 'target_depends_on_what_leads_to_it'
        else 'target_is_no_failure_step'
      end,
      case
        when way.target = step.step_slug then format(
          'is what "%s" leads to in %s, so it must depend on it; add "%s" to deps_slugs',
          decider.step_slug, way.field, decider.step_slug
        )
        else format(
          'goes on with "%s" when it fails, which "%s" leads to in %s; name a step of its own',
          way.target, decider.step_slug, way.field
        )
      end
    into broken_constraint, mistake
    from pgflow.steps as decider
    cross join lateral pgflow.ways_of(decider) as way
    where decider.flow_slug = step.flow_slug
      and decider.step_type in ('branch', 'loop')
      and (
        (way.target = step.step_slug and decider.step_slug <> all (deps_slugs))
        or way.target = step.on_failure
      )
    limit 1;
  end if;
  if mistake is not null then
    raise exception 'Step "%" of flow "%" %.', step.step_slug, step.flow_slug, mistake
      using errcode = 'check_violation', constraint = broken_constraint;
  end if;
end
$$;

comment on function pgflow.refuse_bad_ways(pgflow.steps, text[]) is
  'Raises when a step leads where it cannot, or does not depend on the step that leads to it';
