create function pgflow.refuse_beyond_limits(value jsonb, meaning text) returns void
language plpgsql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
declare
  problem constant text := pgflow.json_problem(value);
begin
  if problem is not null then
    raise exception '% is refused: %.', meaning, problem
      using
        errcode = 'invalid_parameter_value',
        constraint = 'json_is_within_limits',
        detail = pgflow.problem_code('json_is_within_limits');
  end if;
end
$$;

comment on function pgflow.refuse_beyond_limits(jsonb, text) is
  'Raises when a JSON value is nested too deeply or has a number of too many digits';
