-- A failure step stands behind what fails, so that it is named before it is there. Whether it came is
-- asked when the flow is started.
create function pgflow.refuse_bad_failure_step(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  problem text;
  named_by text;
begin
  -- First one that it does not depend on, if there is one.
  select other.step_slug into named_by
  from pgflow.steps as other
  where other.flow_slug = step.flow_slug
    and (
      other.settings ->> 'on_failure' = step.step_slug
      or other.settings ->> 'on_timeout' = step.step_slug
    )
  order by other.step_slug = any (deps_slugs), other.step_index
  limit 1;

  if named_by is not null and named_by <> all (deps_slugs) then
    broken_constraint := 'failure_step_depends_on_its_subflow';
    problem := format(
      'goes on when "%s" fails, so it must depend on it; add "%s" to deps_slugs', named_by, named_by
    );
  elsif named_by is not null and step.step_type = 'map' then
    broken_constraint := 'failure_step_is_no_map';
    problem := format(
      'goes on when "%s" fails, but is a map step; let a single or subflow step do it', named_by
    );
  elsif named_by is not null and step.step_type = 'join' then
    broken_constraint := 'failure_step_is_no_join';
    problem := format(
      'goes on when "%s" fails, but is a join; let a single or subflow step do it', named_by
    );
  else
    select
      case
        when led.target = step.step_slug then 'failure_step_is_another_step'
        when not pgflow.is_valid_slug(led.target) then 'steps_step_slug_check'
        when pgflow.steps_between(step.flow_slug, led.target, deps_slugs) = '{}'
          then 'failure_step_depends_on_its_subflow'
        else 'failure_step_comes_after_its_subflow'
      end,
      case
        when led.target = step.step_slug then format(
          'cannot go on with itself when it fails; name another step in %s', led.field
        )
        when not pgflow.is_valid_slug(led.target)
          then format('goes on with "%s", which is not a valid step slug', led.target)
        else format(
          'goes on with "%s" when it fails, which was added before it and so does not depend on it; add that step after this one',
          led.target
        )
      end
    into broken_constraint, problem
    from pgflow.failure_steps_of(step) as led
    left join pgflow.steps as earlier
      on earlier.flow_slug = step.flow_slug and earlier.step_slug = led.target
    where led.target = step.step_slug
      or not pgflow.is_valid_slug(led.target)
      or earlier.step_slug is not null
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_failure_step(pgflow.steps, text[]) is
  'Raises when a step cannot go on after the failure of another, or names one that cannot';
