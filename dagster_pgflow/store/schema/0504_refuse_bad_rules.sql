create function pgflow.refuse_bad_rules(step pgflow.steps) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  example constant text := '[{"when": "output.score > 80", "then": ["vip"]}]';
  rules constant jsonb := step.settings -> 'rules';
  broken_constraint text;
  problem text;
begin
  if step.step_type <> 'branch' then
    return;
  elsif rules is null then
    broken_constraint := 'only_branch_steps_have_rules';
    problem := format('is a branch without rules; give it some, such as rules => %L', example);
  elsif rules = '[]' then
    broken_constraint := 'rules_are_a_list';
    problem := format('has an empty list of rules; write such as rules => %L', example);
  else
    select found.broken_constraint, format('has rules[%s], which %s', rule.position - 1, found.problem)
    into broken_constraint, problem
    from jsonb_array_elements(rules) with ordinality as rule (value, position)
    cross join lateral pgflow.rule_problem(rule.value) as found
    order by rule.position
    limit 1;
    if problem is null then
      broken_constraint := 'each_condition_is_one_rule';
      select format(
        'has the condition `%s` in %s rules, and only the first of them decides; put the steps of all of them into its "then"',
        rule.value ->> 'when', count(*)
      )
      into problem
      from jsonb_array_elements(rules) as rule (value)
      group by rule.value ->> 'when'
      having count(*) > 1
      limit 1;
    end if;
    if problem is null then
      broken_constraint := 'each_label_is_one_rule';
      select format(
        'has the label "%s" in %s rules; give each rule a label of its own',
        rule.value ->> 'label', count(*)
      )
      into problem
      from jsonb_array_elements(rules) as rule (value)
      where rule.value ->> 'label' is not null
      group by rule.value ->> 'label'
      having count(*) > 1
      limit 1;
    end if;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_rules(pgflow.steps) is
  'Raises when the rules of a branch are not in order';
