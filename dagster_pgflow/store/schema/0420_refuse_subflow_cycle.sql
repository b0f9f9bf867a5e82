create function pgflow.refuse_subflow_cycle(flow_slug text) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  start constant text := refuse_subflow_cycle.flow_slug;
  frontier text[] := array[start];
  entered_from jsonb := '{}';
  found_here jsonb;
  here text;
  path text;
begin
  -- Layer by layer, each flow once: linear even where many flows share their subflows.
  while frontier <> '{}' and not entered_from ? start loop
    select coalesce(jsonb_object_agg(step.subflow_slug, step.flow_slug), '{}')
    into found_here
    from pgflow.steps as step
    where step.flow_slug = any (frontier)
      and step.subflow_slug is not null
      and not entered_from ? step.subflow_slug;
    entered_from := entered_from || found_here;
    frontier := array(select jsonb_object_keys(found_here));
  end loop;

  if entered_from ? start then
    path := start;
    here := entered_from ->> start;
    while here <> start loop
      path := here || ' -> ' || path;
      here := entered_from ->> here;
    end loop;
    raise exception 'Flow "%" contains itself: % -> %; remove one of these subflow steps.',
      start, start, path
      using
        errcode = 'check_violation',
        constraint = 'no_flow_contains_itself',
        detail = pgflow.problem_code('no_flow_contains_itself');
  end if;
end
$$;

comment on function pgflow.refuse_subflow_cycle(text) is
  'Raises, with the path, when a flow reaches itself through subflow steps';
