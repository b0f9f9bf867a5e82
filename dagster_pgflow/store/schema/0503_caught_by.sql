create function pgflow.caught_by(flow_slug text, step_slug text) returns setof text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select joined.step_slug
  from pgflow.deps as dep
  join pgflow.steps as joined on joined.flow_slug = dep.flow_slug and joined.step_slug = dep.step_slug
  where dep.flow_slug = caught_by.flow_slug
    and dep.dep_slug = caught_by.step_slug
    and joined.step_type = 'join'
    and joined.settings ? 'on_failure'
    and (not joined.settings ? 'members' or joined.settings -> 'members' ? caught_by.step_slug)
$$;

comment on function pgflow.caught_by(text, text) is
  'The joins that fail with a step, so that the run does not';
