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
    where column_of.name not in ('step_index', 'deps_count', 'created_at', 'settings')
      and column_of.value <> to_jsonb(stored) -> column_of.name
    union all
    -- Two settings have another name as parameters of add_step.
    select case setting.name
      when 'input' then 'subflow_input'
      when 'output' then 'subflow_output'
      else setting.name
    end
    from jsonb_object_keys(stored.settings || wanted.settings) as setting (name)
    where wanted.settings -> setting.name is distinct from stored.settings -> setting.name
    union all
    -- Their order only matters where what they return is laid over each other.
    select 'deps_slugs'
    where array(
      select dep.slug
      from unnest(wanted_deps) with ordinality as dep (slug, position)
      order by case when wanted.settings ? 'merge_input' then dep.position end, 1
    ) <> array(
      select dep.dep_slug
      from pgflow.deps as dep
      where dep.flow_slug = stored.flow_slug and dep.step_slug = stored.step_slug
      order by case when wanted.settings ? 'merge_input' then dep.dep_index end, 1
    )
  ) as difference
$$;

comment on function pgflow.step_differences(pgflow.steps, pgflow.steps, text[]) is
  'In what a stored step differs from one that is to be added; null when in nothing';
