-- PF001 is what the Python side knows as UnknownFlow, and so is a broken reference to a flow.
create function pgflow.refuse_unknown_flow(flow_slug text, broken_constraint text default null)
returns void
language plpgsql
immutable
set search_path to ''
as $$
begin
  raise exception 'Flow "%" does not exist; create it with pgflow.create_flow, or look for its slug in pgflow.flows.',
    coalesce(flow_slug, 'null')
    using
      errcode = case when broken_constraint is null then 'PF001' else '23503' end,
      constraint = coalesce(broken_constraint, '');
end
$$;
