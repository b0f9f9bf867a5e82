create function pgflow.schema_problem(value jsonb, schema jsonb, root jsonb, place text)
returns text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select verdict.problem
  from pgflow.schema_verdict(
    schema_problem.value, schema_problem.schema, schema_problem.root, schema_problem.place,
    0, 20000
  ) as verdict
$$;

comment on function pgflow.schema_problem(jsonb, jsonb, jsonb, text) is
  'What is wrong with a JSON value by a JSON Schema, as far as this is certain and no great work; null when nothing is';
