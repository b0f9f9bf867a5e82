create function pgflow.pass_circuit_breaker(
  tenant text, circuit_breaker jsonb, call_id uuid, holder text, at timestamptz
) returns jsonb
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  breaker_key constant text := circuit_breaker ->> 'key';
  most constant integer := (circuit_breaker ->> 'half_open_calls')::integer;
  breaker pgflow.circuit_breakers;
  trying integer;
begin
  select known.* into breaker
  from pgflow.circuit_breakers as known
  where known.tenant = pass_circuit_breaker.tenant and known.key = breaker_key;
  if not found or breaker.state = 'closed' then
    -- Nothing is written or locked, which is most calls.
    return jsonb_build_object('round', coalesce(breaker.round, 0));
  elsif breaker.state = 'open' and breaker.open_until > at then
    return pgflow.refused_by(breaker, 'open');
  end if;

  select known.* into breaker
  from pgflow.circuit_breakers as known
  where known.tenant = pass_circuit_breaker.tenant and known.key = breaker_key
  for update;
  if not found or breaker.state = 'closed' then
    return jsonb_build_object('round', coalesce(breaker.round, 0));
  elsif breaker.state = 'open' and breaker.open_until > at then
    return pgflow.refused_by(breaker, 'open');
  end if;
  delete from pgflow.guarded_calls as call
  where call.tenant = breaker.tenant
    and call.key = breaker.key
    and call.guard = 'circuit_breaker'
    and (call.expires_at <= at or call.round <> breaker.round);
  select count(*) into trying
  from pgflow.guarded_calls as call
  where call.tenant = breaker.tenant
    and call.key = breaker.key
    and call.guard = 'circuit_breaker'
    and call.call_id <> pass_circuit_breaker.call_id;
  -- Where steps that share a key ask for other numbers of calls, enough may have come back for none
  -- to decide; then they are counted anew.
  if breaker.state = 'open' or (trying = 0 and length(breaker.outcomes) >= most) then
    update pgflow.circuit_breakers as known
    set state = 'half_open', outcomes = '', round = breaker.round + 1, changed_at = at
    where known.tenant = breaker.tenant and known.key = breaker.key
    returning known.* into breaker;
  end if;
  if trying + length(breaker.outcomes) >= most then
    return pgflow.refused_by(breaker, 'half_open') || jsonb_build_object('trying', trying);
  end if;
  insert into pgflow.guarded_calls
    (call_id, guard, tenant, key, round, holder, begun_at, expires_at)
  values (
    pass_circuit_breaker.call_id, 'circuit_breaker', breaker.tenant, breaker.key, breaker.round,
    pass_circuit_breaker.holder, at, at + pgflow.call_lease()
  )
  on conflict on constraint guarded_calls_pkey do nothing;
  return jsonb_build_object('round', breaker.round, 'is_trying', true);
end
$$;

comment on function pgflow.pass_circuit_breaker(text, jsonb, uuid, text, timestamptz) is
  'Lets a call past a circuit breaker and says in which round that is, or refuses it';
