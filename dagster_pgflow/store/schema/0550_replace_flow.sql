create function pgflow.replace_flow(definition jsonb) returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  slug constant text := definition ->> 'slug';
begin
  perform pgflow.refuse_unless_slug(slug, 'flow', 'slug_is_valid');
  perform pgflow.create_flow(slug);
  perform pgflow.lock_flow(slug);
  update pgflow.flows as flow
  set
    opt_max_attempts = coalesce((definition #>> '{options,max_attempts}')::integer, 3),
    opt_base_delay = coalesce((definition #>> '{options,base_delay}')::integer, 5),
    opt_timeout = coalesce((definition #>> '{options,timeout}')::integer, 60),
    opt_timeout_ms = (definition #>> '{options,timeout_ms}')::integer,
    opt_max_delay = coalesce((definition #>> '{options,max_delay}')::integer, 3600),
    opt_jitter = coalesce(definition #>> '{options,jitter}', 'none'),
    opt_max_concurrent_runs = (definition #>> '{options,max_concurrent_runs}')::integer,
    opt_concurrency_key = definition #>> '{options,concurrency_key}',
    opt_max_concurrent_runs_per_key =
      (definition #>> '{options,max_concurrent_runs_per_key}')::integer,
    opt_on_event = nullif(definition #> '{options,on_event}', 'null'),
    opt_max_recoveries = coalesce((definition #>> '{options,max_recoveries}')::integer, 3),
    description = coalesce(definition ->> 'description', ''),
    input_schema = nullif(definition -> 'input_schema', 'null'),
    output_schema = nullif(definition -> 'output_schema', 'null'),
    merge_output = coalesce((definition ->> 'merge_output')::boolean, false),
    tags = coalesce(nullif(definition -> 'tags', 'null'), '{}')
  where flow.flow_slug = slug;

  delete from pgflow.deps as dep where dep.flow_slug = slug;
  delete from pgflow.steps as step where step.flow_slug = slug;
  delete from pgflow.schedules as schedule where schedule.flow_slug = slug;
  perform pgflow.insert_steps(
    slug,
    (
      select coalesce(jsonb_agg(pgflow.without_nulls(given.step) order by given.position), '[]')
      from jsonb_array_elements(nullif(definition -> 'steps', 'null'))
        with ordinality as given (step, position)
    ),
    0
  );
  perform pgflow.insert_schedules(slug, coalesce(nullif(definition -> 'schedules', 'null'), '[]'));
end
$$;

comment on function pgflow.replace_flow(jsonb) is
  'Stores a whole definition, steps behind their dependencies, in place of what was there';
