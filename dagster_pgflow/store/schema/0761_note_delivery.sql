create function pgflow.note_delivery(
  delivery_id uuid, attempt integer, answer integer, error_message text default null
) returns text
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  delivery pgflow.webhook_deliveries;
  next_at timestamptz;
  becomes text;
begin
  select known.* into delivery
  from pgflow.webhook_deliveries as known
  where known.delivery_id = note_delivery.delivery_id and known.status = 'pending'
  for update;
  -- That somebody was late and failed says nothing of the attempt that is under way meanwhile.
  if not found or note_delivery.error_message is not null and delivery.attempts <> attempt then
    return null;
  end if;
  next_at := clock_timestamp() + least(3600, 5 * 2 ^ least(delivery.attempts - 1, 12))
    * (0.75 + random() / 2) * interval '1 second';
  becomes := case
    when note_delivery.error_message is null then 'delivered'
    when delivery.attempts >= 15 or next_at > delivery.created_at + interval '1 day' then 'given_up'
    else 'pending'
  end;
  update pgflow.webhook_deliveries as known
  set
    answer = note_delivery.answer,
    error_message = note_delivery.error_message,
    status = becomes,
    due_at = next_at,
    ended_at = case when becomes <> 'pending' then clock_timestamp() end
  where known.delivery_id = note_delivery.delivery_id;
  if becomes <> 'delivered' and note_delivery.answer is null then
    -- Nobody answers there: what else the flow has for it waits as long, instead of being tried.
    update pgflow.webhook_deliveries as other
    set due_at = next_at
    from (
      select same.delivery_id
      from pgflow.webhook_deliveries as same
      where same.status = 'pending' and same.due_at < next_at
        and same.flow_slug = delivery.flow_slug and same.url = delivery.url
        and same.delivery_id <> delivery.delivery_id
        and same.attempts = 0
      for update skip locked
    ) as waiting
    where other.delivery_id = waiting.delivery_id;
  end if;
  return becomes;
end
$$;

comment on function pgflow.note_delivery(uuid, integer, integer, text) is
  'Notes what came of an attempt to send a delivery: it is delivered, sent again later, or given up';
