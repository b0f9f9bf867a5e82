create function pgflow.tag_problem(tags jsonb)
returns table (broken_constraint text, problem text)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with given (key, value) as (
    -- That tags are an object, a constraint says.
    select *
    from jsonb_each_text(case jsonb_typeof(tags) when 'object' then tags else '{}' end)
  ),
  found (place, broken_constraint, problem) as (
    select 0, 'flow_has_few_tags', format('has %s tags, and a flow may have 50', count(*))
    from given
    having count(*) > 50
    union all
    select 1, 'tags_are_short', format(
      'has the tag "%s", which is too long: a key may have 127 characters, a value 500', left(key, 127)
    )
    from given
    where length(key) > 127 or length(value) > 500
    union all
    select
      2,
      'tags_are_not_ours',
      format('has the tag "%s", and those with this prefix are ours alone; rename it', key)
    from given
    where starts_with(key, 'dagster-pgflow/')
    union all
    select 3, 'tags_reach_nothing_else', format(
      'has the tag "%s", and tags with a "/" can give orders to Dagster and to what launches its runs; name it without one, or have the code location allow it: build_repository(allowed_tags=["%s"])',
      key, key
    )
    from given
    cross join pgflow.store
    where strpos(key, '/') > 0
      and not starts_with(key, 'pgflow/')
      and not exists (
        select
        from unnest(store.allowed_tags) as allowed (pattern)
        where key like replace(
          replace(replace(replace(allowed.pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%'
        )
      )
  )
  select found.broken_constraint, found.problem
  from found
  order by found.place, found.problem
  limit 1
$$;

comment on function pgflow.tag_problem(jsonb) is
  'What a flow must not have these tags for; no row when it may';
