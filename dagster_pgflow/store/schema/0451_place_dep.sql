create function pgflow.place_dep() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  step_index constant integer := pgflow.step_index_of(new.flow_slug, new.step_slug);
  dep_step_index constant integer := pgflow.step_index_of(new.flow_slug, new.dep_slug);
begin
  if new.dep_index is null then
    select coalesce(max(dep.dep_index) + 1, 0) into new.dep_index
    from pgflow.deps as dep
    where dep.flow_slug = new.flow_slug and dep.step_slug = new.step_slug;
  end if;
  -- Dependencies that only ever point to earlier steps cannot form a cycle.
  if dep_step_index > step_index then
    raise exception 'Step "%" of flow "%" cannot depend on "%", which was added after it; add steps in the order in which they depend on each other.',
      new.step_slug, new.flow_slug, new.dep_slug
      using
        errcode = 'check_violation',
        constraint = 'steps_stand_behind_their_dependencies',
        detail = pgflow.problem_code('steps_stand_behind_their_dependencies');
  end if;
  return new;
end
$$;

create trigger deps_have_a_place before insert or update on pgflow.deps
for each row execute function pgflow.place_dep();
