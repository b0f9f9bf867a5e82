create function pgflow.count_deps() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  update pgflow.steps as step
  set deps_count = counted.deps_count
  from (
    select
      touched.flow_slug,
      touched.step_slug,
      (
        select count(*) from pgflow.deps as dep
        where dep.flow_slug = touched.flow_slug and dep.step_slug = touched.step_slug
      ) as deps_count
    from (select distinct flow_slug, step_slug from changed_deps) as touched
  ) as counted
  where step.flow_slug = counted.flow_slug
    and step.step_slug = counted.step_slug
    and step.deps_count <> counted.deps_count;
  return null;
end
$$;

create trigger steps_count_added_deps after insert on pgflow.deps
referencing new table as changed_deps
for each statement execute function pgflow.count_deps();

create trigger steps_count_removed_deps after delete on pgflow.deps
referencing old table as changed_deps
for each statement execute function pgflow.count_deps();

create trigger steps_count_deps_before after update on pgflow.deps
referencing old table as changed_deps
for each statement execute function pgflow.count_deps();

create trigger steps_count_deps_after after update on pgflow.deps
referencing new table as changed_deps
for each statement execute function pgflow.count_deps();
