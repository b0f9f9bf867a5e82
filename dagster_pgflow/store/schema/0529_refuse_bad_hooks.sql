create function pgflow.refuse_bad_hooks(step pgflow.steps) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  problem text;
begin
  if step.settings ->> 'check_schemas' not in ('off', 'warn', 'strict') then
    broken_constraint := 'check_schemas_is_valid';
    problem := format(
      'has check_schemas "%s"; say off, warn or strict', step.settings ->> 'check_schemas'
    );
  elsif step.settings -> 'requires' ? '' then
    broken_constraint := 'resources_have_names';
    problem := 'requires a resource without a name; name it, or leave it out';
  else
    select
      case
        when step.handler is null and step.step_type in ('branch', 'loop')
          then 'hooks_go_with_a_handler'
        when named.handler = '' then 'hooks_have_names'
        else 'hooks_are_no_node_types'
      end,
      case
        when step.handler is null and step.step_type in ('branch', 'loop') then format(
          'has no handler, so nothing can be called %s it; name a handler, or leave %1$s out',
          hook.field
        )
        when named.handler = ''
          then format('names a handler without a name in %s; name one, or leave it out', hook.field)
        else format(
          'names "%s" in %s, which is a node type and takes params of its own; let a step do it, or name a handler',
          named.handler, hook.field
        )
      end
    into broken_constraint, problem
    from (values ('before'), ('after')) as hook (field)
    cross join lateral jsonb_array_elements_text(
      step.settings -> hook.field
    ) as named (handler)
    where (step.handler is null and step.step_type in ('branch', 'loop'))
      or named.handler = ''
      or starts_with(named.handler, 'pgflow.')
    limit 1;
  end if;
  perform pgflow.refuse_step(step.flow_slug, step.step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_hooks(pgflow.steps) is
  'Raises when what is called around the handler of a step, or what it requires, cannot be';
