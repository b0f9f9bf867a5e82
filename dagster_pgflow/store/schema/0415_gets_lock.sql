create function pgflow.gets_lock(flow_slug text, milliseconds integer) returns boolean
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  limit_before constant text := current_setting('lock_timeout');
begin
  perform set_config('lock_timeout', gets_lock.milliseconds::text, true);
  if gets_lock.flow_slug is null then
    perform pg_advisory_xact_lock(hashtextextended('pgflow.flow_versions', 0));
  else
    perform from pgflow.flows as flow
    where flow.flow_slug = gets_lock.flow_slug
    for no key update;
  end if;
  perform set_config('lock_timeout', limit_before, true);
  return true;
exception
  when lock_not_available then
    return false;
end
$$;

comment on function pgflow.gets_lock(text, integer) is
  'Waits for the lock of a flow, or that of publishing, at most so long; 0 is for ever';
