create function pgflow.claim_deliveries(most integer) returns setof pgflow.webhook_deliveries
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  update pgflow.webhook_deliveries as known
  set status = 'given_up', ended_at = clock_timestamp(), error_message = 'Whoever sent it ended before it was known what came of it.'
  where known.status = 'pending' and known.due_at <= clock_timestamp() and known.attempts >= 15;
  return query
  with due as (
    -- The flows take turns: no webhook keeps those of others waiting.
    select
      known.delivery_id,
      known.due_at,
      row_number() over (partition by known.flow_slug order by known.due_at, known.delivery_id) as turn
    from pgflow.webhook_deliveries as known
    where known.status = 'pending' and known.due_at <= clock_timestamp()
  ),
  chosen as (
    select due.delivery_id from due order by due.turn, due.due_at, due.delivery_id limit most
  ),
  free as (
    select delivery.delivery_id
    from pgflow.webhook_deliveries as delivery
    join chosen using (delivery_id)
    where delivery.status = 'pending' and delivery.due_at <= clock_timestamp()
    for update of delivery skip locked
  )
  -- Who dies while it sends leaves it to whoever looks a minute later.
  update pgflow.webhook_deliveries as delivery
  set attempts = delivery.attempts + 1, due_at = clock_timestamp() + interval '1 minute'
  from free
  where delivery.delivery_id = free.delivery_id
  returning delivery.*;
end
$$;

comment on function pgflow.claim_deliveries(integer) is
  'Gives deliveries that are due to one sender, for a minute; each claim is an attempt';
