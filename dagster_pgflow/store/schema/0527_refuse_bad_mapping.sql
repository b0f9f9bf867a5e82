-- Which fields there are only the flow's schemas tell, which the Python side compares.
create function pgflow.refuse_bad_mapping(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  mistake text;
begin
  if step.step_type <> 'subflow' and num_nonnulls(step.subflow_input, step.subflow_output) > 0 then
    broken_constraint := 'only_subflow_steps_map_values';
    mistake := 'maps what a flow receives or returns, which only a subflow step can; leave subflow_input and subflow_output out';
  elsif step.step_type <> 'subflow' and step.over is not null then
    broken_constraint := 'only_subflow_steps_run_over_a_list';
    mistake := 'runs over a list, which only a subflow step can; leave over out, or let it be a map step';
  elsif step.step_type <> 'subflow' and step.mode <> 'inline' then
    broken_constraint := 'only_subflow_steps_have_a_mode';
    mistake := 'has a mode, which only a subflow step can; leave mode out';
  elsif jsonb_typeof(step.subflow_input) <> 'object' then
    broken_constraint := 'subflow_input_is_object';
    mistake := 'has a subflow_input that is no object; name the fields that the flow receives';
  elsif jsonb_typeof(step.subflow_output) not in ('object', 'string') then
    broken_constraint := 'subflow_output_is_object_or_text';
    mistake := 'has a subflow_output that is neither an object nor a reference such as "$nodes.receipt"';
  elsif step.over !~ '^\$' and step.over <> all (deps_slugs) then
    broken_constraint := 'over_is_a_dependency';
    mistake := format('runs over "%s", but does not depend on it; add it to deps_slugs', step.over);
  else
    select problem.broken_constraint, problem.mistake into broken_constraint, mistake
    from pgflow.reference_problems(step, deps_slugs) as problem
    limit 1;
  end if;
  if mistake is not null then
    raise exception 'Step "%" of flow "%" %.', step.step_slug, step.flow_slug, mistake
      using errcode = 'check_violation', constraint = broken_constraint;
  end if;
end
$$;

comment on function pgflow.refuse_bad_mapping(pgflow.steps, text[]) is
  'Raises when a step maps what it cannot, or with references that lead to no dependency';
