create function pgflow.reference_problems(step pgflow.steps, deps_slugs text[])
returns table (broken_constraint text, problem text)
language sql
immutable
set search_path to pg_catalog, pg_temp
as $body$
  with written (field, reference) as (
    select 'over', step.settings ->> 'over' where step.settings ->> 'over' ~ '^\$'
    union all
    select 'subflow_input', found from pgflow.references_in(step.settings -> 'input') as found
    union all
    select 'subflow_output', found from pgflow.references_in(step.settings -> 'output') as found
    union all
    -- What only looks like a reference is text here, and so is CEL.
    select 'params', found
    from pgflow.references_in(
      step.params - 'dagster-pgflow/names' - pgflow.literal_params(step.handler)
    ) as found
    where found ~ '^\$(nodes(?=[.[])|input|item)(?:\.[^].{}$\s[]+|\[\d+\])*$'
    union all
    select field.name, found
    from (values ('produces'), ('consumes'), ('partition')) as field (name)
    cross join lateral pgflow.references_in(step.settings -> field.name) as found
    union all
    select 'prompt', found from pgflow.references_in(step.settings -> 'prompt') as found
    where found ~ '^\$(nodes(?=[.[])|input|item)(?:\.[^].{}$\s[]+|\[\d+\])*$'
  ),
  read (field, is_filled_in, reference, root, dep) as (
    select
      written.field,
      written.field in ('params', 'prompt', 'produces', 'consumes', 'partition'),
      written.reference,
      (regexp_match(written.reference, '^\$(nodes|input|item)(?:\.[^].{}$\s[]+|\[\d+\])*$'))[1],
      (regexp_match(written.reference, '^\$nodes(?:\.|\[)([^].{}$\s[]+)'))[1]
    from written
  )
  select
    case
      when read.root is null or (read.root = 'nodes' and read.dep is null)
        then 'references_are_well_formed'
      when read.is_filled_in and read.root = 'item'
        then 'only_map_steps_have_elements'
      when read.is_filled_in then 'params_refer_to_dependencies'
      when read.root = 'item' then 'only_steps_over_a_list_have_items'
      when read.field = 'subflow_output' then 'output_refers_to_final_steps'
      else 'input_refers_to_dependencies'
    end,
    case
      when read.root is null or (read.root = 'nodes' and read.dep is null) then format(
        'has `%s` in its %s, which is not a reference; write $nodes.<step>, $input or $item, or a path below one of them (and $$ for a text that begins with $)',
        read.reference, read.field
      )
      when read.field = 'prompt' and read.root = 'item' then format(
        'has `%s` in its prompt, where there is no item; a flow that runs for each item of a list receives it: refer to $input',
        read.reference
      )
      when read.is_filled_in and read.root = 'item' then format(
        'has `%s` in its %s, where there is no item; only those of a map step can refer to it',
        read.reference, read.field
      )
      when read.is_filled_in and step.step_type = 'map' then format(
        'has `%s` in its %s, but receives one element at a time; refer to $item or $input',
        read.reference, read.field
      )
      when read.root = 'item' then format(
        'has `%s` in its %s, where there is no item; only subflow_input of a step that runs over a list can refer to it',
        read.reference, read.field
      )
      when read.field = 'subflow_output' then format(
        'has `%s` in its subflow_output, which can only refer to final steps of flow "%s": $nodes.<final step>',
        read.reference, step.subflow_slug
      )
      else format(
        'has `%s` in its %s, but does not depend on "%s"; add it to deps_slugs',
        read.reference, read.field, read.dep
      )
    end
  from read
  where read.root is null
    or (read.root = 'nodes' and read.dep is null)
    or (
      read.root = 'item' and read.is_filled_in and step.step_type <> 'map'
    )
    or (
      read.root = 'item' and not read.is_filled_in
      and (read.field <> 'subflow_input' or not step.settings ? 'over')
    )
    or (read.field = 'subflow_output' and read.root <> 'nodes')
    or (
      read.field <> 'subflow_output' and read.root = 'nodes'
      and (read.dep <> all (deps_slugs) or (read.is_filled_in and step.step_type = 'map'))
    )
$body$;

comment on function pgflow.reference_problems(pgflow.steps, text[]) is
  'What is wrong with the references of a step, as far as its flow tells';
