create function pgflow.step_differences(
  stored pgflow.steps, wanted pgflow.steps, wanted_deps text[]
) returns text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select string_agg(difference.name, ', ' order by difference.name)
  from (
    select replace(column_of.name, 'opt_', '') as name
    from jsonb_each(to_jsonb(wanted)) as column_of (name, value)
    where column_of.name not in ('step_index', 'deps_count', 'created_at')
      and column_of.value <> to_jsonb(stored) -> column_of.name
    union all
    select 'deps_slugs'
    where array(select unnest(wanted_deps) order by 1) <> array(
      select dep.dep_slug
      from pgflow.deps as dep
      where dep.flow_slug = stored.flow_slug and dep.step_slug = stored.step_slug
      order by 1
    )
  ) as difference
$$;

comment on function pgflow.step_differences(pgflow.steps, pgflow.steps, text[]) is
  'In what a stored step differs from one that is to be added; null when in nothing';
