create function pgflow.refuse_bad_deps(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  missing text;
begin
  if array_position(deps_slugs, null) is not null then
    raise exception 'Step "%" of flow "%" has a dependency that is null; name the step that it depends on.',
      step.step_slug, step.flow_slug
      using
        errcode = 'null_value_not_allowed',
        constraint = 'steps_name_their_dependencies',
        detail = pgflow.problem_code('steps_name_their_dependencies');
  end if;
  if step.step_type = 'map' and cardinality(deps_slugs) > 1 then
    raise exception 'Map step "%" can have at most one dependency, but % were provided: %',
      step.step_slug, cardinality(deps_slugs), array_to_string(deps_slugs, ', ')
      using
        errcode = 'check_violation',
        constraint = 'map_step_has_at_most_one_dependency',
        detail = pgflow.problem_code('map_step_has_at_most_one_dependency'),
        hint = 'A map runs over one list: collect the outputs in a single step and map over that.';
  end if;
  if step.step_slug = any (deps_slugs) then
    raise exception 'Step "%" of flow "%" cannot depend on itself (deps_check).',
      step.step_slug, step.flow_slug
      using
        errcode = 'check_violation',
        constraint = 'deps_check',
        detail = pgflow.problem_code('deps_check');
  end if;
  select string_agg(format('"%s"', wanted.slug), ', ') into missing
  from unnest(deps_slugs) as wanted (slug)
  where not exists (
    select
    from pgflow.steps as dep
    where dep.flow_slug = step.flow_slug and dep.step_slug = wanted.slug
  );
  if missing is not null then
    raise exception 'Step "%" of flow "%" depends on %, which does not exist (deps_flow_slug_dep_slug_fkey): add that step first.',
      step.step_slug, step.flow_slug, missing
      using
        errcode = 'foreign_key_violation',
        constraint = 'deps_flow_slug_dep_slug_fkey',
        detail = pgflow.problem_code('deps_flow_slug_dep_slug_fkey');
  end if;
end
$$;
