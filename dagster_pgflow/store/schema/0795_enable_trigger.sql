create function pgflow.enable_trigger(name text, enabled boolean default true)
returns pgflow.triggers
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  changed pgflow.triggers := pgflow.named_trigger(enable_trigger.name);
begin
  update pgflow.triggers as existing
  set enabled = coalesce(enable_trigger.enabled, true)
  where existing.trigger_id = changed.trigger_id
  returning existing.* into changed;
  return changed;
end
$$;

comment on function pgflow.enable_trigger(text, boolean) is
  'Turns a trigger on or off; it starts nothing for what happened while it was off';
