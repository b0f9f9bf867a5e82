-- Our own refusals say the code of the problem as their detail. Those of constraints cannot.
create function pgflow.refuse_step(
  flow_slug text, step_slug text, broken_constraint text, problem text
) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
begin
  if problem is not null then
    raise exception 'Step "%" of flow "%" %.', step_slug, flow_slug, problem
      using
        errcode = 'check_violation',
        constraint = broken_constraint,
        detail = pgflow.problem_code(broken_constraint);
  end if;
end
$$;

comment on function pgflow.refuse_step(text, text, text, text) is
  'Raises when there is a problem with a step';
