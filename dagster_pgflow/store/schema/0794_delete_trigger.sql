create function pgflow.delete_trigger(name text) returns pgflow.triggers
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  doomed constant pgflow.triggers := pgflow.named_trigger(delete_trigger.name);
begin
  delete from pgflow.triggers as existing where existing.trigger_id = doomed.trigger_id;
  return doomed;
end
$$;

comment on function pgflow.delete_trigger(text) is
  'Deletes a trigger; what it has started goes on, and what it made of events stays known';
