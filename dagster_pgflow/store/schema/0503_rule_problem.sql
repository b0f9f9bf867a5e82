create function pgflow.rule_problem(rule jsonb) returns text
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  select case
    when jsonb_typeof(rule) <> 'object' or rule - array['when', 'then'] <> '{}' then
      'is no object with nothing but "when" and "then"'
    when jsonb_typeof(rule -> 'when') is distinct from 'string' or rule ->> 'when' !~ '\S' then
      'has no condition; write it as a text in "when"'
    when jsonb_typeof(rule -> 'then') is distinct from 'array'
      or jsonb_path_exists(rule, 'strict $.then[*] ? (@.type() != "string")')
    then 'has no list of steps in "then"'
    when rule -> 'then' = '[]' then
      'leads to no step, so that all it does is to hide the rules behind it; name a step in "then", or leave the rule out: where no rule holds and there is no default_path, the path ends'
  end
$$;

comment on function pgflow.rule_problem(jsonb) is
  'What is wrong with one rule of a branch; null when nothing is';
