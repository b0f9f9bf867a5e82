create function pgflow.place_step() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' and new.step_index is null then
    select coalesce(max(step.step_index) + 1, 0) into new.step_index
    from pgflow.steps as step
    where step.flow_slug = new.flow_slug;
  elsif tg_op = 'UPDATE' and exists (
    select
    from pgflow.deps as dep
    join pgflow.steps as other
      on other.flow_slug = dep.flow_slug
      and other.step_slug in (dep.dep_slug, dep.step_slug)
      and other.step_slug <> old.step_slug
    where dep.flow_slug = old.flow_slug
      and old.step_slug in (dep.dep_slug, dep.step_slug)
      and (dep.dep_slug = old.step_slug) <> (new.step_index < other.step_index)
  ) then
    raise exception 'Step "%" of flow "%" cannot move to index %: it would stand before a step that it depends on, or behind one that depends on it.',
      old.step_slug, old.flow_slug, new.step_index
      using
        errcode = 'check_violation',
        constraint = 'steps_stand_behind_their_dependencies',
        detail = pgflow.problem_code('steps_stand_behind_their_dependencies');
  end if;
  return new;
end
$$;

create trigger steps_have_a_place before insert or update of step_index on pgflow.steps
for each row execute function pgflow.place_step();
