create function pgflow.refuse_bad_pool(step pgflow.steps) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  problem text;
begin
  if step.pool is null then
    return;
  elsif step.step_type in ('subflow', 'join', 'approval', 'wait', 'sleep') then
    broken_constraint := 'only_steps_with_handlers_have_a_pool';
    problem := format(
      'is %s %s, which has no handler and so no pool; give one to the steps that do the work',
      case step.step_type when 'approval' then 'an' else 'a' end,
      step.step_type
    );
  elsif not pgflow.is_valid_slug(step.pool) then
    broken_constraint := 'pool_is_valid';
    problem := format(
      'has the pool "%s"; a pool is named as a slug is: 1 to 128 letters, digits or underscores, no digit first, and not the reserved word "run"',
      left(step.pool, 128)
    );
  else
    return;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_pool(pgflow.steps) is
  'Raises when a step has a pool that cannot be';
