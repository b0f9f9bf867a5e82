-- The constraint names are what the Python side knows UnknownFlow by.
create function pgflow.refuse_unknown_flow(
  flow_slug text, broken_constraint text default 'flow_exists'
) returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
begin
  raise exception 'Flow "%" does not exist; create it with pgflow.create_flow, or look for its slug in pgflow.flows.',
    coalesce(flow_slug, 'null')
    using
      errcode = case broken_constraint
        when 'flow_exists' then 'undefined_object' else 'foreign_key_violation'
      end,
      constraint = broken_constraint,
      detail = pgflow.problem_code(broken_constraint);
end
$$;
