create function pgflow.refuse_bad_rules(step pgflow.steps) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  example constant text := '[{"when": "output.score > 80", "then": ["vip"]}]';
  broken_constraint text := 'rules_are_a_list';
  mistake text;
begin
  if step.step_type <> 'branch' and step.rules is not null then
    broken_constraint := 'only_branch_steps_have_rules';
    mistake := 'has rules, which only a branch can; leave rules out, or make it a branch';
  elsif step.step_type <> 'branch' and step.default_path <> '{}' then
    broken_constraint := 'only_branch_steps_have_a_default_path';
    mistake := 'has a default_path, which only a branch can; leave default_path out, or make it a branch';
  elsif step.step_type <> 'branch' then
    return;
  elsif step.rules is null then
    broken_constraint := 'only_branch_steps_have_rules';
    mistake := format('is a branch without rules; give it some, such as rules => %L', example);
  elsif jsonb_typeof(step.rules) <> 'array' or step.rules = '[]' then
    mistake := format('has rules that are no list of rules; write such as rules => %L', example);
  else
    select format('has rules[%s], which %s', rule.position - 1, pgflow.rule_problem(rule.value))
    into mistake
    from jsonb_array_elements(step.rules) with ordinality as rule (value, position)
    where pgflow.rule_problem(rule.value) is not null
    order by rule.position
    limit 1;
    if mistake is null then
      broken_constraint := 'each_condition_is_one_rule';
      select format(
        'has the condition `%s` in %s of its rules, of which only the first ever decides; put the steps of all into "then" of that one',
        rule.value ->> 'when', count(*)
      )
      into mistake
      from jsonb_array_elements(step.rules) as rule (value)
      group by rule.value ->> 'when'
      having count(*) > 1
      limit 1;
    end if;
  end if;
  if mistake is not null then
    raise exception 'Step "%" of flow "%" %.', step.step_slug, step.flow_slug, mistake
      using errcode = 'check_violation', constraint = broken_constraint;
  end if;
end
$$;

comment on function pgflow.refuse_bad_rules(pgflow.steps) is
  'Raises when a step has rules and is no branch, or is one and its rules are not in order';
