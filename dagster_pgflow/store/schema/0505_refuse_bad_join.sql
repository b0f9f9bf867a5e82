create function pgflow.refuse_bad_join(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  deps constant integer := cardinality(deps_slugs);
  wait constant text := step.settings ->> 'wait';
  broken_constraint text;
  problem text;
begin
  if step.step_type <> 'join' then
    return;
  elsif deps < 2 then
    broken_constraint := 'join_brings_paths_together';
    problem := format(
      'is a join of %s, and a join brings at least two paths together; add what is missing to deps_slugs',
      case deps when 0 then 'no dependencies' else 'one dependency' end
    );
  elsif num_nonnulls(step.handler, nullif(step.params, '{}'), step.input_schema, step.output_schema) > 0
  then
    broken_constraint := 'join_step_has_no_handler';
    problem := 'is a join, which has no handler, no params and no schemas; let a step behind it do the work';
  elsif wait not in ('all', 'any') and wait !~ '^[1-9][0-9]{0,8}$' then
    broken_constraint := case
      when wait ~ '^-?[0-9]+$' then 'wait_is_positive' else 'wait_is_valid'
    end;
    problem := format(
      'waits for "%s" of its dependencies; say all, any, or a number from 1 to %s', wait, deps
    );
  elsif wait not in ('all', 'any') and wait::integer > deps then
    broken_constraint := 'join_waits_for_what_there_is';
    problem := format(
      'waits for %s of %s dependencies; say all, any, or a number from 1 to %s', wait, deps, deps
    );
  else
    return;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_join(pgflow.steps, text[]) is
  'Raises when a step waits for dependencies that it has not, or has what a join has not';
