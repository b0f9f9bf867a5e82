create function pgflow.tell_events(told boolean default true) returns void
language sql
set search_path to pg_catalog, pg_temp
as $$
  update pgflow.store set tells_events = told
$$;

comment on function pgflow.tell_events(boolean) is
  'Whether changes of runs and steps are notified on pgflow_events; null is as long as no tenants are isolated';
