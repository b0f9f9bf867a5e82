create function pgflow.take_out_steps(
  flow_slug text, step_slug text, deps_slugs text[]
) returns jsonb
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  place integer;
  late text;
  behind jsonb;
begin
  if not pgflow.lock_flow(take_out_steps.flow_slug) then
    perform pgflow.refuse_unknown_flow(take_out_steps.flow_slug, 'steps_flow_slug_fkey');
  end if;
  perform pgflow.refuse_foreign_flow(take_out_steps.flow_slug);
  place := pgflow.step_index_of(take_out_steps.flow_slug, take_out_steps.step_slug);
  if place is null then
    return '[]';
  end if;

  select step.step_slug into late
  from pgflow.steps as step
  where step.flow_slug = take_out_steps.flow_slug
    and step.step_slug = any (deps_slugs)
    and step.step_index > place
  limit 1;
  if found then
    raise exception 'Step "%" of flow "%" cannot depend on "%", which was added after it; delete the step and add it again, or replace the whole flow.',
      take_out_steps.step_slug, take_out_steps.flow_slug, late
      using
        errcode = 'check_violation',
        constraint = 'steps_stand_behind_their_dependencies',
        detail = pgflow.problem_code('steps_stand_behind_their_dependencies');
  end if;

  select coalesce(jsonb_agg(given.definition order by given.position), '[]') into behind
  from jsonb_array_elements(pgflow.step_definitions(take_out_steps.flow_slug))
    with ordinality as given (definition, position)
  where pgflow.step_index_of(
    take_out_steps.flow_slug, given.definition ->> 'slug'
  ) > place;
  delete from pgflow.deps as dep
  using pgflow.steps as step
  where dep.flow_slug = take_out_steps.flow_slug
    and step.flow_slug = dep.flow_slug
    and step.step_slug = dep.step_slug
    and step.step_index >= place;
  delete from pgflow.steps as step
  where step.flow_slug = take_out_steps.flow_slug and step.step_index >= place;
  return behind;
end
$$;

comment on function pgflow.take_out_steps(text, text, text[]) is
  'Removes a step and all that stand behind it, and returns the definitions of these';
