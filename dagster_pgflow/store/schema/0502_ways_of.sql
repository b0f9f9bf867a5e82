create function pgflow.ways_of(step pgflow.steps) returns table (field text, target text)
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  select format('rules[%s].then', rule.position - 1), named.slug
  from jsonb_array_elements(step.rules) with ordinality as rule (value, position)
  cross join lateral jsonb_array_elements_text(
    case when jsonb_typeof(rule.value -> 'then') = 'array' then rule.value -> 'then' end
  ) as named (slug)
  union all
  select 'default_path', unnest(step.default_path)
  union all
  select 'break_path', unnest(step.break_path)
  union all
  select 'timeout_path', unnest(step.timeout_path)
$$;

comment on function pgflow.ways_of(pgflow.steps) is
  'The steps that a branch or a loop leads to, with the field that names each';
