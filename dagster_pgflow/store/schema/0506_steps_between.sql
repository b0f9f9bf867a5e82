create function pgflow.steps_between(flow_slug text, first_slug text, last_slugs text[])
returns text[]
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with recursive before (slug) as (
    select unnest(last_slugs)
    union
    select dep.dep_slug
    from before
    join pgflow.deps as dep
      on dep.flow_slug = steps_between.flow_slug and dep.step_slug = before.slug
  ),
  on_the_way (slug) as (
    select before.slug from before where before.slug = first_slug
    union
    select dep.step_slug
    from on_the_way
    join pgflow.deps as dep
      on dep.flow_slug = steps_between.flow_slug and dep.dep_slug = on_the_way.slug
    where dep.step_slug in (select before.slug from before)
  )
  select coalesce(array_agg(on_the_way.slug), '{}') from on_the_way
$$;

comment on function pgflow.steps_between(text, text, text[]) is
  'The steps between one step and some others, these included; none where no path leads there';
