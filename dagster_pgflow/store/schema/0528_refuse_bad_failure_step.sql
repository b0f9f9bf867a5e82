-- A failure step stands behind its subflow, so that it is named before it is there. Whether it came
-- is asked when the flow is started.
create function pgflow.refuse_bad_failure_step(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  mistake text;
  routed_by text;
begin
  select other.step_slug into routed_by
  from pgflow.steps as other
  where other.flow_slug = step.flow_slug and other.on_failure = step.step_slug;

  if routed_by is not null and routed_by <> all (deps_slugs) then
    broken_constraint := 'failure_step_depends_on_its_subflow';
    mistake := format(
      'goes on when "%s" fails, so it must depend on it; add "%s" to deps_slugs', routed_by, routed_by
    );
  elsif routed_by is not null and step.step_type = 'map' then
    broken_constraint := 'failure_step_is_no_map';
    mistake := format(
      'goes on when "%s" fails, but is a map step; let a single or subflow step do it', routed_by
    );
  elsif routed_by is not null and step.step_type = 'join' then
    broken_constraint := 'failure_step_is_no_join';
    mistake := format(
      'goes on when "%s" fails, but is a join; let a single or subflow step do it', routed_by
    );
  elsif step.on_failure is null then
    return;
  elsif step.step_type <> 'subflow' then
    broken_constraint := 'only_subflow_steps_go_on_after_failure';
    mistake := 'says what goes on when its flow fails, but is no subflow step; leave on_failure out';
  elsif step.on_failure = step.step_slug then
    broken_constraint := 'failure_step_is_another_step';
    mistake := 'cannot go on with itself when it fails; name another step in on_failure';
  elsif not pgflow.is_valid_slug(step.on_failure) then
    broken_constraint := 'steps_step_slug_check';
    mistake := format('goes on with "%s", which is no valid step slug', step.on_failure);
  elsif exists (
    select from pgflow.steps as earlier
    where earlier.flow_slug = step.flow_slug and earlier.step_slug = step.on_failure
  ) then
    broken_constraint := 'failure_step_depends_on_its_subflow';
    mistake := format(
      'goes on with "%s" when it fails, which was added before it and so does not depend on it; add that step after this one',
      step.on_failure
    );
  else
    select format(
      'goes on with "%s" when it fails, and so does step "%s"; give each a failure step of its own',
      step.on_failure, other.step_slug
    ) into mistake
    from pgflow.steps as other
    where other.flow_slug = step.flow_slug and other.on_failure = step.on_failure;
    broken_constraint := 'failure_step_belongs_to_one_subflow';
  end if;
  if mistake is not null then
    raise exception 'Step "%" of flow "%" %.', step.step_slug, step.flow_slug, mistake
      using errcode = 'check_violation', constraint = broken_constraint;
  end if;
end
$$;

comment on function pgflow.refuse_bad_failure_step(pgflow.steps, text[]) is
  'Raises when a step cannot go on after the failure of a subflow, or names one that cannot';
