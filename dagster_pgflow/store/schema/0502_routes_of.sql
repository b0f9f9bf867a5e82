create function pgflow.routes_of(step pgflow.steps) returns table (field text, target text)
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  select format('rules[%s].then', rule.position - 1), named.slug
  from jsonb_array_elements(step.settings -> 'rules') with ordinality as rule (value, position)
  cross join lateral jsonb_array_elements_text(
    case when jsonb_typeof(rule.value -> 'then') = 'array' then rule.value -> 'then' end
  ) as named (slug)
  union all
  select path.field, jsonb_array_elements_text(step.settings -> path.field)
  from (values ('default_path'), ('break_path'), ('timeout_path')) as path (field)
$$;

comment on function pgflow.routes_of(pgflow.steps) is
  'The steps that a branch or a loop leads to, with the field that names each';
