-- Every step of a definition and its dependencies; without a first index each comes behind the
-- steps that are there.
create function pgflow.insert_steps(flow_slug text, steps jsonb, first_index integer) returns void
language sql
set search_path to pg_catalog, pg_temp
as $$
  insert into pgflow.steps
  select step.* from pgflow.steps_of(insert_steps.flow_slug, steps, first_index) as step;

  insert into pgflow.deps (flow_slug, dep_slug, step_slug, dep_index)
  select insert_steps.flow_slug, dep.slug, given.step ->> 'slug', min(dep.position) - 1
  from jsonb_array_elements(steps) as given (step)
  cross join jsonb_array_elements_text(
    coalesce(given.step -> 'depends_on', '[]')
  ) with ordinality as dep (slug, position)
  group by dep.slug, given.step ->> 'slug';
$$;
