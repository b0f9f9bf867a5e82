create function pgflow.closes_circle(closing pgflow.triggers) returns boolean
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select closing.enabled
    and closing.condition is null
    and closing.on_event not in ('asset.materialized', 'signal')
    and exists (
      select
      from pgflow.flows_led_to(closing.target_flow) as led_to (flow_slug)
      where coalesce(
        led_to.flow_slug = closing.source_flow, led_to.flow_slug <> closing.target_flow
      )
    )
$$;

comment on function pgflow.closes_circle(pgflow.triggers) is
  'Whether triggers without a condition lead from what a trigger starts back to what starts it';
