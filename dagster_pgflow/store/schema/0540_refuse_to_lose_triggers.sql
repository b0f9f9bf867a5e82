create function pgflow.refuse_to_lose_triggers(flow_slug text) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  started text;
begin
  select string_agg(distinct format('"%s" (trigger "%s")', listening.target_flow, listening.name), ', ')
  into started
  from pgflow.triggers as listening
  where listening.source_flow = refuse_to_lose_triggers.flow_slug
    and listening.target_flow <> refuse_to_lose_triggers.flow_slug;
  if started is not null then
    raise exception 'The ends of runs of flow "%" start %; delete the triggers first, or delete with force => true.',
      flow_slug, started
      using errcode = 'dependent_objects_still_exist';
  end if;
end
$$;

comment on function pgflow.refuse_to_lose_triggers(text) is
  'Raises when triggers start other flows at the end of a flow''s runs, and would go with it';
