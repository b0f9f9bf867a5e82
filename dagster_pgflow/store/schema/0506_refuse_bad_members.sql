create function pgflow.refuse_bad_members(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  problem text;
begin
  if step.step_type <> 'join' or not step.settings ?| array['members', 'on_failure'] then
    return;
  end if;
  select found.broken_constraint, found.problem into broken_constraint, problem
  from (
    select
      1 as place,
      'members_have_a_failure_step' as broken_constraint,
      'names members and no on_failure, so that it catches no failure; add on_failure, or leave members out' as problem
    where not step.settings ? 'on_failure'
    union all
    select
      2,
      'members_are_dependencies',
      format(
        'names "%s" among its members, which it does not depend on; add "%s" to deps_slugs, or take it out of members',
        member.slug, member.slug
      )
    from jsonb_array_elements_text(step.settings -> 'members') as member (slug)
    where member.slug <> all (deps_slugs)
    union all
    select
      3,
      case
        when other.slug is null then 'members_have_no_failure_step' else 'members_have_one_join'
      end,
      case
        when other.slug is null then format(
          'catches the failure of "%s", which goes on with "%s" itself; leave one of the two out: name the other dependencies in members, or take the failure step from "%s"',
          member.step_slug, led.target, member.step_slug
        )
        else format(
          'catches the failure of "%s", and so does join "%s"; let one of them name its members without it',
          member.step_slug, other.slug
        )
      end
    from pgflow.steps as member
    left join lateral pgflow.failure_steps_of(member) as led on true
    left join lateral pgflow.caught_by(member.flow_slug, member.step_slug) as other (slug)
      on led.target is null
    where step.settings ? 'on_failure'
      and member.flow_slug = step.flow_slug
      and member.step_slug = any (deps_slugs)
      and (not step.settings ? 'members' or step.settings -> 'members' ? member.step_slug)
      and coalesce(led.target, other.slug) is not null
    union all
    select
      4,
      'pipelined_step_follows_a_step_that_ends',
      format(
        'catches the failure of "%s", whose elements the pipelined step "%s" takes over, so they would be on their way then; leave "%s" out of members, or pipelined there',
        dep.dep_slug, pipelined.step_slug, dep.dep_slug
      )
    from pgflow.deps as dep
    join pgflow.steps as pipelined
      on pipelined.flow_slug = dep.flow_slug and pipelined.step_slug = dep.step_slug
    where step.settings ? 'on_failure'
      and dep.flow_slug = step.flow_slug
      and dep.dep_slug = any (deps_slugs)
      and (not step.settings ? 'members' or step.settings -> 'members' ? dep.dep_slug)
      and pipelined.settings ? 'pipelined'
  ) as found
  order by found.place
  limit 1;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_members(pgflow.steps, text[]) is
  'Raises when a join cannot fail with its dependencies as it says';
