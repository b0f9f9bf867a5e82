-- Whether the step before may be joined is known only here; the constraints hold for the rest.
create function pgflow.refuse_bad_pipeline(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  source pgflow.steps;
  broken_constraint text;
  mistake text;
begin
  if not step.pipelined and not step.collect_errors
    and num_nonnulls(step.max_failures, step.max_failures_percent) = 0
  then
    return;
  end if;
  select earlier.* into source
  from pgflow.steps as earlier
  where earlier.flow_slug = step.flow_slug and earlier.step_slug = deps_slugs[1];

  if step.collect_errors and step.step_type <> 'map' then
    broken_constraint := 'only_map_steps_collect_errors';
    mistake := 'collects errors, which only a map step can; leave collect_errors out';
  elsif num_nonnulls(step.max_failures, step.max_failures_percent) > 0
    and step.step_type <> 'map'
  then
    broken_constraint := 'only_map_steps_bound_failures';
    mistake := 'bounds the failures of elements, which only a map step has; leave max_failures and max_failures_percent out';
  elsif not step.pipelined then
    return;
  elsif step.step_type <> 'map' then
    broken_constraint := 'only_map_steps_are_pipelined';
    mistake := 'is pipelined, which only a map step can be; leave pipelined out';
  elsif source.step_type is distinct from 'map' then
    broken_constraint := 'pipelined_step_follows_a_map_step';
    mistake := 'is pipelined, but does not depend on a map step; let it depend on one, or leave pipelined out';
  elsif num_nonnulls(
    step.required_input_pattern, step.forbidden_input_pattern, step.run_if, step.run_unless
  ) > 0 then
    broken_constraint := 'pipelined_step_has_no_condition';
    mistake := 'is pipelined, so that it begins before its whole input is known, and cannot have a condition; remove one of the two';
  elsif step.batch_size is not null then
    broken_constraint := 'pipelined_step_takes_over_batches';
    mistake := format(
      'is pipelined and takes over the batches of "%s"; say batch_size there', source.step_slug
    );
  elsif num_nonnulls(source.max_failures, source.max_failures_percent) > 0 then
    broken_constraint := 'pipelined_step_follows_a_step_without_a_count';
    mistake := format(
      'is pipelined behind "%s", of which only all elements together say whether too many failed; leave pipelined out, or max_failures there',
      source.step_slug
    );
  elsif source.when_exhausted <> 'fail' and not source.collect_errors then
    broken_constraint := 'pipelined_step_follows_a_step_that_fails';
    mistake := format(
      'is pipelined behind "%s", whose when_exhausted is %s; let that one fail or collect its errors, or leave pipelined out',
      source.step_slug, source.when_exhausted
    );
  else
    return;
  end if;
  raise exception 'Step "%" of flow "%" %.', step.step_slug, step.flow_slug, mistake
    using errcode = 'check_violation', constraint = broken_constraint;
end
$$;

comment on function pgflow.refuse_bad_pipeline(pgflow.steps, text[]) is
  'Raises when a step is pipelined, collects errors or bounds them, where that cannot be';
