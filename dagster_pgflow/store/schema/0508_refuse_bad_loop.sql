create function pgflow.refuse_bad_loop(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  back_to constant text := step.settings ->> 'back_to';
  given constant integer := num_nonnulls(
    back_to, step.settings -> 'condition', step.settings -> 'max_iterations'
  );
  body text[] := '{}';
  broken_constraint text;
  problem text;
begin
  if step.step_type <> 'loop' then
    return;
  elsif given < 3 then
    broken_constraint := 'only_loop_steps_go_back';
    problem := 'is a loop, which needs back_to, condition and max_iterations; give it all three';
  elsif (step.settings ->> 'max_iterations')::integer not between 1 and 1000 then
    broken_constraint := 'max_iterations_is_in_range';
    problem := format(
      'has max_iterations %s; it must be from 1 to 1000', step.settings ->> 'max_iterations'
    );
  elsif num_nonnulls(
    step.required_input_pattern, step.forbidden_input_pattern, step.run_if, step.run_unless
  ) > 0 then
    broken_constraint := 'loop_step_has_no_condition';
    problem := format(
      'is a loop, which decides after each iteration and cannot be left out of one; move its conditions to "%s", or to a step before',
      back_to
    );
  elsif step.when_exhausted in ('skip', 'skip-cascade') then
    broken_constraint := 'loop_step_is_never_skipped';
    problem := 'is a loop, which cannot be skipped when its handler fails; leave when_exhausted out';
  elsif back_to <> step.step_slug then
    body := pgflow.steps_between(step.flow_slug, back_to, deps_slugs);
    if body = '{}' then
      broken_constraint := case
        when pgflow.step_index_of(step.flow_slug, back_to) is null
          then 'loop_goes_back_to_a_step'
        else 'loop_goes_back_to_a_step_before'
      end;
      problem := format(
        'goes back to "%s", which does not come before it; add that step first, and let the loop depend on it or on one behind it',
        back_to
      );
    elsif exists (
      select from pgflow.steps as first
      where first.flow_slug = step.flow_slug
        and first.step_slug = back_to
        and first.step_type = 'map'
    ) then
      broken_constraint := 'loop_goes_back_to_no_map';
      problem := format(
        'goes back to "%s", a map step, which would have no list to map over from the second iteration on; put a single step before it, and go back to that one',
        back_to
      );
    end if;
  end if;
  if problem is null then
    select found.broken_constraint, found.problem into broken_constraint, problem
    from pgflow.body_problem(step, body || step.step_slug) as found
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_loop(pgflow.steps, text[]) is
  'Raises when a loop cannot go back there';
