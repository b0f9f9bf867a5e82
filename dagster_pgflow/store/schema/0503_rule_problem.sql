create function pgflow.rule_problem(rule jsonb)
returns table (broken_constraint text, problem text)
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  select known.broken_constraint, known.problem
  from (
    values
      (
        'rules_have_their_types',
        'is not an object with "when" and "then"',
        jsonb_typeof(rule) <> 'object'
      ),
      (
        'rules_have_all_fields',
        'has no condition; write it as a text in "when"',
        not rule ? 'when'
      ),
      (
        'rules_have_all_fields',
        'has no list of steps in "then"',
        not rule ? 'then'
      ),
      (
        'rules_have_their_types',
        'has no condition; write it as a text in "when"',
        jsonb_typeof(rule -> 'when') <> 'string'
      ),
      (
        'rules_have_their_types',
        'has no list of steps in "then"',
        jsonb_typeof(rule -> 'then') <> 'array'
          or jsonb_path_exists(rule, 'strict $.then[*] ? (@.type() != "string")', '{}', true)
      ),
      (
        'rules_have_their_fields',
        'has more than "when", "then", "label" and "output_schema"',
        jsonb_typeof(rule) = 'object'
          and rule - '{when,then,label,output_schema}'::text[] <> '{}'
      ),
      (
        'rules_have_their_types',
        'has a label that is not text',
        jsonb_typeof(rule -> 'label') not in ('string', 'null')
      ),
      (
        'rules_have_their_types',
        'has an output schema that is not an object',
        jsonb_typeof(rule -> 'output_schema') not in ('object', 'null')
      ),
      (
        'labels_are_short',
        'has a label that is empty or has more than 200 characters; shorten it, or leave it out',
        char_length(rule ->> 'label') not between 1 and 200
      ),
      (
        'rules_have_conditions',
        'has no condition; write it as a text in "when"',
        rule ->> 'when' !~ '\S'
      ),
      (
        'rules_lead_to_steps',
        'leads to no step and only hides the rules behind it; name a step in "then", or leave the rule out: where no rule holds and there is no default_path, the path ends',
        rule -> 'then' = '[]'
      )
  ) as known (broken_constraint, problem, is_so)
  where known.is_so
  limit 1
$$;

comment on function pgflow.rule_problem(jsonb) is
  'What is wrong with one rule of a branch; no row when nothing is';
