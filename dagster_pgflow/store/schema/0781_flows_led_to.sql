create function pgflow.flows_led_to(flow_slug text) returns setof text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  with recursive led_to (flow_slug) as (
    select flows_led_to.flow_slug
    union
    select edge.target_flow
    from led_to
    join pgflow.flows as source on source.flow_slug = led_to.flow_slug
    join pgflow.triggers as edge
      on edge.enabled
      and edge.condition is null
      and edge.on_event not in ('asset.materialized', 'signal')
      and coalesce(edge.source_flow = led_to.flow_slug, edge.target_flow <> led_to.flow_slug)
    join pgflow.flows as target
      on target.flow_slug = edge.target_flow
      and target.tags ->> 'tenant' is not distinct from source.tags ->> 'tenant'
  )
  select led_to.flow_slug from led_to
$$;

comment on function pgflow.flows_led_to(text) is
  'The flows that triggers without a condition start, one after the other, from a flow on; with it';
