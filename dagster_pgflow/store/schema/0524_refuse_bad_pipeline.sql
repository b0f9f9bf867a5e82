-- Whether the step before may be joined is known only here; the constraints hold for the rest.
create function pgflow.refuse_bad_pipeline(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  source pgflow.steps;
  broken_constraint text;
  problem text;
begin
  if not step.settings ? 'pipelined' then
    return;
  end if;
  select earlier.* into source
  from pgflow.steps as earlier
  where earlier.flow_slug = step.flow_slug and earlier.step_slug = deps_slugs[1];

  if source.step_type is distinct from 'map' then
    broken_constraint := 'pipelined_step_follows_a_map_step';
    problem := 'is pipelined, but does not depend on a map step; let it depend on one, or leave pipelined out';
  elsif num_nonnulls(
    step.required_input_pattern, step.forbidden_input_pattern, step.run_if, step.run_unless
  ) > 0 then
    broken_constraint := 'pipelined_step_has_no_condition';
    problem := 'is pipelined and begins before its whole input is known, so it cannot have a condition; remove one of the two';
  elsif step.settings ? 'batch_size' then
    broken_constraint := 'pipelined_step_takes_over_batches';
    problem := format(
      'is pipelined and takes over the batches of "%s"; say batch_size there', source.step_slug
    );
  elsif source.settings ?| array['max_failures', 'max_failures_percent'] then
    broken_constraint := 'pipelined_step_follows_a_step_without_a_count';
    problem := format(
      'is pipelined behind "%s", whose max_failures can only be judged when all of its elements are done; leave pipelined out, or max_failures there',
      source.step_slug
    );
  elsif source.when_exhausted <> 'fail' and not source.settings ? 'collect_errors' then
    broken_constraint := 'pipelined_step_follows_a_step_that_fails';
    problem := format(
      'is pipelined behind "%s", whose when_exhausted is %s; let that one fail or collect its errors, or leave pipelined out',
      source.step_slug, source.when_exhausted
    );
  elsif source.settings ?| array['on_failure', 'on_timeout']
    or exists (select from pgflow.caught_by(source.flow_slug, source.step_slug))
  then
    broken_constraint := 'pipelined_step_follows_a_step_that_ends';
    problem := format(
      'is pipelined behind "%s", after whose failure the run goes on, so elements would be on their way then; leave pipelined out, or the failure step there',
      source.step_slug
    );
  else
    return;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_pipeline(pgflow.steps, text[]) is
  'Raises when a map step is pipelined, where that cannot be';
