-- All that a loop repeats is there when the loop is added: nothing can come into it later.
create function pgflow.body_problem(step pgflow.steps, body text[])
returns table (broken_constraint text, problem text)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select
    'loops_lie_within_loops',
    format(
      'goes back to "%s" and shares steps with loop "%s" without repeating all that it repeats; go back to a step before "%s", or behind the loop',
      step.settings ->> 'back_to', other.step_slug, other.settings ->> 'back_to'
    )
  from pgflow.steps as other
  cross join lateral pgflow.steps_between(
    other.flow_slug, other.settings ->> 'back_to', array[other.step_slug]
  ) as repeated
  where other.flow_slug = step.flow_slug
    and other.step_type = 'loop'
    and repeated && body
    and not repeated <@ body
  union all
  select
    'loops_are_left_at_their_end',
    format(
      'repeats "%s", and step "%s" depends on that one; let the loop depend on "%s", so that it is repeated too',
      dep.dep_slug, dep.step_slug, dep.step_slug
    )
  from pgflow.deps as dep
  where dep.flow_slug = step.flow_slug
    and dep.dep_slug = any (body)
    and dep.step_slug <> all (body)
  union all
  select
    'loops_are_left_at_their_end',
    format(
      'repeats "%s", which leads to "%s", and does not repeat that one; let the loop depend on it',
      inside.step_slug, route.target
    )
  from pgflow.steps as inside
  cross join lateral pgflow.routes_of(inside) as route
  where inside.flow_slug = step.flow_slug
    and inside.step_type in ('branch', 'loop')
    and inside.step_slug = any (body)
    and route.target <> all (body)
  union all
  select
    'failure_steps_are_repeated_too',
    format(
      'repeats "%s" and not "%s", which goes on when that one fails; let it repeat both, or let the loop go on with that one',
      failing.step_slug, led.target
    )
  from pgflow.steps as failing
  cross join lateral pgflow.failure_steps_of(failing) as led
  where failing.flow_slug = step.flow_slug
    and failing.step_slug = any (body)
    and failing.step_slug <> step.step_slug
    and led.target <> all (body)
$$;

comment on function pgflow.body_problem(pgflow.steps, text[]) is
  'What is wrong with the steps that a loop is to repeat, as far as they are there';
