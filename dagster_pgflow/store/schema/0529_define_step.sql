create function pgflow.define_step(flow_slug text, definition jsonb) returns pgflow.steps
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  deps constant text[] := pgflow.texts_of(definition -> 'depends_on');
  step pgflow.steps;
  stored pgflow.steps;
  differences text;
begin
  perform pgflow.refuse_beyond_limits(
    given.value,
    format(
      'The %s of step "%s"',
      case given.name
        when 'if' then 'required input'
        when 'if_not' then 'forbidden input'
        when 'input' then 'input mapping'
        when 'output' then 'output mapping'
        else replace(given.name, '_', ' ')
      end,
      definition ->> 'slug'
    )
  )
  from jsonb_each(definition) as given (name, value)
  where jsonb_typeof(given.value) in ('object', 'array', 'number');
  select given.* into step
  from pgflow.steps_of(define_step.flow_slug, jsonb_build_array(definition), null) as given;

  -- Whoever adds to the same flow waits here, and then sees the steps of this session.
  if not pgflow.lock_flow(step.flow_slug) then
    perform pgflow.refuse_unknown_flow(step.flow_slug, 'steps_flow_slug_fkey');
  end if;
  perform pgflow.refuse_foreign_flow(step.flow_slug);
  perform pgflow.refuse_unless_slug(step.step_slug, 'step', 'steps_step_slug_check');
  perform pgflow.refuse_bad_deps(step, deps);

  select existing.* into stored
  from pgflow.steps as existing
  where existing.flow_slug = step.flow_slug and existing.step_slug = step.step_slug;
  if found then
    differences := pgflow.step_differences(stored, step, deps);
    if differences is null then
      return stored;
    end if;
    raise exception 'Flow "%" already has a step "%" that differs in: %; give the new step another slug, or change the stored one in pgflow.steps.',
      step.flow_slug, step.step_slug, differences
      using
        errcode = 'unique_violation',
        constraint = 'steps_pkey',
        detail = pgflow.problem_code('steps_pkey');
  end if;

  perform pgflow.refuse_bad_settings(
    step.flow_slug, step.step_slug, step.step_type, step.settings
  );
  perform pgflow.refuse_bad_pool(step);
  perform pgflow.refuse_bad_hooks(step);
  perform pgflow.refuse_bad_assets(step);
  perform pgflow.refuse_bad_pipeline(step, deps);
  perform pgflow.refuse_bad_mapping(step, deps);
  perform pgflow.refuse_bad_failure_step(step, deps);
  perform pgflow.refuse_bad_rules(step);
  perform pgflow.refuse_bad_join(step, deps);
  perform pgflow.refuse_bad_members(step, deps);
  perform pgflow.refuse_bad_loop(step, deps);
  perform pgflow.refuse_bad_waiting(step);
  perform pgflow.refuse_bad_routes(step, deps);
  perform pgflow.refuse_route_out_of_loop(step, deps);
  if step.step_type = 'subflow' then
    perform pgflow.refuse_unknown_subflow(step);
  end if;
  perform pgflow.insert_steps(define_step.flow_slug, jsonb_build_array(definition), null);
  if step.step_type = 'subflow' then
    perform pgflow.refuse_subflow_cycle(step.flow_slug);
  end if;
  select added.* into stored
  from pgflow.steps as added
  where added.flow_slug = step.flow_slug and added.step_slug = step.step_slug;
  return stored;
end
$$;

comment on function pgflow.define_step(text, jsonb) is
  'Adds a step that is given as in a flow definition, as add_step does with its parameters';
