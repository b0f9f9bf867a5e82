create function pgflow.problem_code(constraint_name text) returns text
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select known.code
  from pgflow.problem_codes() as known
  where known.constraint_name = problem_code.constraint_name
$$;

comment on function pgflow.problem_code(text) is
  'The code of the problem that a broken constraint speaks of; null for constraints of other tables';
