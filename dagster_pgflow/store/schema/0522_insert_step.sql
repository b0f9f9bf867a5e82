create function pgflow.insert_step(step pgflow.steps, deps_slugs text[]) returns pgflow.steps
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  inserted pgflow.steps;
begin
  select (step).* into inserted;
  inserted.created_at := now();
  insert into pgflow.steps select inserted.*;
  insert into pgflow.deps (flow_slug, dep_slug, step_slug, dep_index)
  select inserted.flow_slug, dep.slug, inserted.step_slug, dep.position - 1
  from unnest(deps_slugs) with ordinality as dep (slug, position);

  select stored.* into inserted
  from pgflow.steps as stored
  where stored.flow_slug = step.flow_slug and stored.step_slug = step.step_slug;
  return inserted;
end
$$;
