-- Adds what came and takes away what went, and reads no dependency that was there before.
create function pgflow.count_deps() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  change constant integer := tg_argv[0];
begin
  update pgflow.steps as step
  set deps_count = step.deps_count + change * counted.deps
  from (
    select flow_slug, step_slug, count(*)::integer as deps
    from changed_deps
    group by flow_slug, step_slug
  ) as counted
  where step.flow_slug = counted.flow_slug and step.step_slug = counted.step_slug;
  return null;
end
$$;

create trigger steps_count_added_deps after insert on pgflow.deps
referencing new table as changed_deps
for each statement execute function pgflow.count_deps('1');

create trigger steps_count_removed_deps after delete on pgflow.deps
referencing old table as changed_deps
for each statement execute function pgflow.count_deps('-1');

-- Of an update the old ones go first: PostgreSQL fires in the order of names.
create trigger steps_count_old_deps after update on pgflow.deps
referencing old table as changed_deps
for each statement execute function pgflow.count_deps('-1');

create trigger steps_count_renewed_deps after update on pgflow.deps
referencing new table as changed_deps
for each statement execute function pgflow.count_deps('1');

create function pgflow.begin_without_deps() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  -- A dump of the data says how many there were, and then brings each of them.
  new.deps_count := 0;
  return new;
end
$$;

create trigger steps_begin_without_deps before insert on pgflow.steps
for each row execute function pgflow.begin_without_deps();
