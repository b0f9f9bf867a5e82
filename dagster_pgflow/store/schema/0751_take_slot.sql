create function pgflow.take_slot(
  tenant text, bulkhead jsonb, call_id uuid, holder text, at timestamptz
) returns jsonb
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  most constant integer := (bulkhead ->> 'max_concurrent')::integer;
  under_way integer;
begin
  -- Whoever looks for a slot of the same bulkhead waits here, and then sees who has one.
  perform from pgflow.bulkheads as known
  where known.tenant = take_slot.tenant
    and known.key = bulkhead ->> 'key'
    and known.max_concurrent = most
  for update;
  if not found then
    insert into pgflow.bulkheads (tenant, key, max_concurrent)
    values (take_slot.tenant, bulkhead ->> 'key', most)
    on conflict on constraint bulkheads_pkey do update set max_concurrent = excluded.max_concurrent;
  end if;
  delete from pgflow.guarded_calls as call
  where call.tenant = take_slot.tenant
    and call.key = bulkhead ->> 'key'
    and call.guard = 'bulkhead'
    and call.expires_at <= at;
  select count(*) into under_way
  from pgflow.guarded_calls as call
  where call.tenant = take_slot.tenant
    and call.key = bulkhead ->> 'key'
    and call.guard = 'bulkhead'
    and call.call_id <> take_slot.call_id;
  if under_way >= most then
    return jsonb_build_object('refused', 'full', 'under_way', under_way);
  end if;
  insert into pgflow.guarded_calls (call_id, guard, tenant, key, holder, begun_at, expires_at)
  values (
    take_slot.call_id, 'bulkhead', take_slot.tenant, bulkhead ->> 'key', take_slot.holder,
    at, at + pgflow.call_lease()
  )
  -- Asked again after an answer that was lost.
  on conflict on constraint guarded_calls_pkey do nothing;
  return '{}';
end
$$;

comment on function pgflow.take_slot(text, jsonb, uuid, text, timestamptz) is
  'Takes a slot of a bulkhead for a call, or says that none is free';
