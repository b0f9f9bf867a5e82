-- What is no field of every kind is a setting. What the author wrote is taken as it is: a null in
-- the place of an object is refused by the constraint of the column.
create function pgflow.steps_of(flow_slug text, steps jsonb, first_index integer)
returns setof pgflow.steps
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select
    steps_of.flow_slug,
    given.step ->> 'slug',
    coalesce(given.step ->> 'type', 'single'),
    first_index + given.position::integer - 1,
    0,
    (given.step #>> '{options,max_attempts}')::integer,
    (given.step #>> '{options,base_delay}')::integer,
    (given.step #>> '{options,timeout}')::integer,
    (given.step #>> '{options,start_delay}')::integer,
    given.step -> 'if',
    given.step -> 'if_not',
    coalesce(given.step ->> 'when_unmet', 'skip'),
    coalesce(given.step ->> 'when_exhausted', 'fail'),
    now(),
    given.step ->> 'handler',
    coalesce(given.step -> 'params', '{}'),
    coalesce(given.step ->> 'description', ''),
    given.step ->> 'flow',
    given.step -> 'input_schema',
    given.step -> 'output_schema',
    (given.step ->> 'initial_tasks')::integer,
    given.step ->> 'run_if',
    given.step ->> 'run_unless',
    (given.step #>> '{options,max_delay}')::integer,
    given.step #>> '{options,jitter}',
    given.step ->> 'pool',
    pgflow.settled(
      given.step - array[
        'slug', 'type', 'depends_on', 'options', 'if', 'if_not', 'when_unmet', 'when_exhausted',
        'handler', 'params', 'description', 'flow', 'input_schema', 'output_schema',
        'initial_tasks', 'run_if', 'run_unless', 'pool'
      ],
      coalesce(given.step ->> 'type', 'single')
    ),
    (given.step #>> '{options,timeout_ms}')::integer
  from jsonb_array_elements(steps) with ordinality as given (step, position)
$$;

comment on function pgflow.steps_of(text, jsonb, integer) is
  'The rows that definitions of steps stand for, without their dependencies';
