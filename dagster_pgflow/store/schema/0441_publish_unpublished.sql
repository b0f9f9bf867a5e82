create function pgflow.publish_unpublished() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  -- The mark is gone when the transaction published the flow itself and left it alone since.
  if exists (select from pgflow.unpublished_flows where flow_slug = new.flow_slug) then
    perform pgflow.publish_flow(new.flow_slug);
  end if;
  return null;
end
$$;

create constraint trigger flows_are_published_at_commit after insert on pgflow.unpublished_flows
deferrable initially deferred
for each row execute function pgflow.publish_unpublished();
