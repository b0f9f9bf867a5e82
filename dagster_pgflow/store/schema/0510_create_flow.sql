create function pgflow.create_flow(
  flow_slug text,
  max_attempts integer default null,
  base_delay integer default null,
  timeout integer default null
) returns pgflow.flows
language plpgsql
set search_path to ''
as $$
declare
  flow pgflow.flows;
begin
  perform pgflow.refuse_unless_slug(create_flow.flow_slug, 'flow', 'slug_is_valid');
  loop
    select existing.* into flow
    from pgflow.flows as existing
    where existing.flow_slug = create_flow.flow_slug;
    exit when found;
    insert into pgflow.flows (flow_slug, opt_max_attempts, opt_base_delay, opt_timeout)
    values (
      create_flow.flow_slug,
      coalesce(create_flow.max_attempts, 3),
      coalesce(create_flow.base_delay, 5),
      coalesce(create_flow.timeout, 60)
    )
    on conflict do nothing
    returning * into flow;
    exit when found;
    -- Another session created it meanwhile, and may even have deleted it: look again.
  end loop;
  return flow;
end
$$;

comment on function pgflow.create_flow(text, integer, integer, integer) is
  'Creates a flow, or returns the one that exists unchanged; nulls mean 3 attempts, 5 s, 60 s';
