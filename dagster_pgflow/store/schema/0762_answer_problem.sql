create function pgflow.answer_problem(wait pgflow.waits, answer jsonb, meaning text) returns text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select case
    when wait.answer_schema is not null
      then pgflow.schema_problem(answer, wait.answer_schema, wait.answer_schema, meaning)
  end
$$;

comment on function pgflow.answer_problem(pgflow.waits, jsonb, text) is
  'What is wrong with an answer by the schema of the step, as far as SQL can tell; null when nothing is';
