create function pgflow.refuse_route_out_of_loop(step pgflow.steps, deps_slugs text[]) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  problem text;
begin
  select format(
    'depends on "%s", which loop "%s" repeats; let it depend on "%s" instead, or add it before that loop, which then depends on it',
    inside.slug, loop.step_slug, loop.step_slug
  )
  into problem
  from pgflow.steps as loop
  cross join lateral unnest(
    pgflow.steps_between(loop.flow_slug, loop.settings ->> 'back_to', array[loop.step_slug])
  ) as inside (slug)
  where loop.flow_slug = step.flow_slug
    and loop.step_type = 'loop'
    and inside.slug = any (deps_slugs)
    and inside.slug <> loop.step_slug
  order by loop.step_index desc
  limit 1;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, 'loops_are_left_at_their_end', problem);
end
$$;

comment on function pgflow.refuse_route_out_of_loop(pgflow.steps, text[]) is
  'Raises when a step depends on one that a loop repeats, and not on the loop itself';
