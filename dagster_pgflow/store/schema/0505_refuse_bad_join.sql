create function pgflow.refuse_bad_join(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  deps constant integer := cardinality(deps_slugs);
  broken_constraint text;
  mistake text;
begin
  if step.step_type <> 'join' and step.wait <> 'all' then
    broken_constraint := 'only_join_steps_wait_for_fewer';
    mistake := 'waits for some of its dependencies, which only a join can; leave wait out, or make it a join';
  elsif step.step_type <> 'join' then
    return;
  elsif deps < 2 then
    broken_constraint := 'join_brings_paths_together';
    mistake := format(
      'is a join of %s, and a join brings at least two paths together; add what is missing to deps_slugs',
      case deps when 0 then 'no dependencies' else 'one dependency' end
    );
  elsif num_nonnulls(step.handler, nullif(step.params, '{}'), step.input_schema, step.output_schema) > 0
  then
    broken_constraint := 'join_step_has_no_handler';
    mistake := 'is a join, which has no handler, no params and no schemas; let a step behind it do the work';
  elsif step.wait not in ('all', 'any') and step.wait !~ '^[1-9][0-9]{0,8}$' then
    broken_constraint := 'wait_is_valid';
    mistake := format(
      'waits for "%s" of its dependencies; say all, any, or a number from 1 to %s', step.wait, deps
    );
  elsif step.wait not in ('all', 'any') and step.wait::integer > deps then
    broken_constraint := 'join_waits_for_what_there_is';
    mistake := format(
      'waits for %s of %s dependencies; say all, any, or a number from 1 to %s', step.wait, deps, deps
    );
  else
    return;
  end if;
  raise exception 'Step "%" of flow "%" %.', step.step_slug, step.flow_slug, mistake
    using errcode = 'check_violation', constraint = broken_constraint;
end
$$;

comment on function pgflow.refuse_bad_join(pgflow.steps, text[]) is
  'Raises when a step waits for dependencies that it has not, or for some and is no join';
