-- Periods begin at whole multiples of their length. A turn of a period to come is taken too, so
-- that whoever waits keeps its place; none is taken further ahead than any call may wait.
create function pgflow.take_turn(tenant text, rate_limiter jsonb, at timestamptz) returns jsonb
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  per_ms constant integer := (rate_limiter ->> 'per_ms')::integer;
  most_ahead constant interval := make_interval(
    secs => (pgflow.guard_fields() #>> '{rate_limiter,max_wait_seconds,to}')::integer
  );
  this_period constant timestamptz := to_timestamp(
    div(extract(epoch from at)::numeric * 1000, per_ms) * per_ms / 1000
  );
  kept pgflow.rate_limiters;
  wait double precision;
begin
  select known.* into kept
  from pgflow.rate_limiters as known
  where known.tenant = take_turn.tenant and known.key = rate_limiter ->> 'key'
  for update;
  if not found then
    insert into pgflow.rate_limiters (tenant, key, period_at, taken)
    values (take_turn.tenant, rate_limiter ->> 'key', this_period, 0)
    on conflict on constraint rate_limiters_pkey do nothing;
    select known.* into kept
    from pgflow.rate_limiters as known
    where known.tenant = take_turn.tenant and known.key = rate_limiter ->> 'key'
    for update;
  end if;

  -- A period that lies further ahead than turns are given is left from before a clock was set back.
  if kept.period_at < this_period or kept.period_at > at + most_ahead then
    kept.period_at := this_period;
    kept.taken := 0;
  end if;
  if kept.taken >= (rate_limiter ->> 'calls')::integer then
    kept.period_at := kept.period_at + per_ms * interval '1 millisecond';
    kept.taken := 0;
  end if;
  wait := greatest(extract(epoch from kept.period_at - at), 0);
  if wait > (rate_limiter ->> 'max_wait_seconds')::integer then
    return jsonb_build_object('refused', 'no_turn', 'seconds', wait);
  end if;
  update pgflow.rate_limiters as known
  set period_at = kept.period_at, taken = kept.taken + 1
  where known.tenant = kept.tenant and known.key = kept.key;
  return jsonb_build_object('wait', wait);
end
$$;

comment on function pgflow.take_turn(text, jsonb, timestamptz) is
  'Takes a turn of a rate limiter: how many seconds to wait for it, or that it is refused';
