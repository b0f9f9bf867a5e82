create function pgflow.refuse_bad_loop(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  given constant integer := num_nonnulls(step.back_to, step.condition, step.max_iterations);
  body text[] := '{}';
  broken_constraint text;
  mistake text;
begin
  if step.step_type <> 'loop' and given = 0 and step.break_path = '{}' and step.timeout_path = '{}'
  then
    return;
  elsif step.step_type <> 'loop' then
    broken_constraint := 'only_loop_steps_go_back';
    mistake := 'has back_to, condition, max_iterations, break_path or timeout_path, which only a loop has; leave them out, or make it a loop';
  elsif given < 3 then
    broken_constraint := 'only_loop_steps_go_back';
    mistake := 'is a loop, which needs back_to, condition and max_iterations; give it all three';
  elsif step.max_iterations not between 1 and 1000 then
    broken_constraint := 'max_iterations_is_in_range';
    mistake := format('has max_iterations %s; it must be from 1 to 1000', step.max_iterations);
  elsif num_nonnulls(
    step.required_input_pattern, step.forbidden_input_pattern, step.run_if, step.run_unless
  ) > 0 then
    broken_constraint := 'loop_step_has_no_condition';
    mistake := format(
      'is a loop, which decides after each pass and cannot be left out of one; move its conditions to "%s", or to a step before',
      step.back_to
    );
  elsif step.when_exhausted <> 'fail' then
    broken_constraint := 'loop_step_is_never_skipped';
    mistake := 'is a loop, which cannot be skipped when its handler fails; leave when_exhausted out';
  elsif step.back_to <> step.step_slug then
    body := pgflow.steps_between(step.flow_slug, step.back_to, deps_slugs);
    if body = '{}' then
      broken_constraint := 'loop_goes_back_to_a_step_before';
      mistake := format(
        'goes back to "%s", which does not come before it; add that step first, and let the loop depend on it or on one behind it',
        step.back_to
      );
    elsif exists (
      select from pgflow.steps as first
      where first.flow_slug = step.flow_slug
        and first.step_slug = step.back_to
        and first.step_type = 'map'
    ) then
      broken_constraint := 'loop_goes_back_to_no_map';
      mistake := format(
        'goes back to "%s", a map step, which would have no list to map over from the second pass on; put a single step before it, and go back to that one',
        step.back_to
      );
    end if;
  end if;
  if mistake is null then
    select problem.broken_constraint, problem.mistake into broken_constraint, mistake
    from pgflow.body_problem(step, body || step.step_slug) as problem
    limit 1;
  end if;
  if mistake is not null then
    raise exception 'Step "%" of flow "%" %.', step.step_slug, step.flow_slug, mistake
      using errcode = 'check_violation', constraint = broken_constraint;
  end if;
end
$$;

comment on function pgflow.refuse_bad_loop(pgflow.steps, text[]) is
  'Raises when a step goes back and is no loop, or is one and cannot go back there';
