-- Which fields there are only the flow's schemas tell, which the Python side compares.
create function pgflow.refuse_bad_mapping(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  over constant text := step.settings ->> 'over';
  broken_constraint text;
  problem text;
begin
  if jsonb_typeof(step.params) <> 'object' then
    broken_constraint := 'params_are_an_object';
    problem := 'has params that are not an object; name each of them';
  elsif over !~ '^\$' and over <> all (deps_slugs) then
    broken_constraint := 'over_is_a_dependency';
    problem := format('runs over "%s", but does not depend on it; add it to deps_slugs', over);
  elsif over is not null and step.settings ?| array['merge_input', 'keep_input'] then
    broken_constraint := 'data_map_is_of_no_list';
    problem := format(
      'runs over a list: its flow receives an item, and it returns a list; leave %s out',
      (
        select string_agg(field.name, ' and ' order by field.position)
        from unnest(array['merge_input', 'keep_input']) with ordinality as field (name, position)
        where step.settings ? field.name
      )
    );
  else
    select found.broken_constraint, found.problem into broken_constraint, problem
    from pgflow.reference_problems(step, deps_slugs) as found
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_mapping(pgflow.steps, text[]) is
  'Raises when a step maps what it cannot, or with references that lead to no dependency';
