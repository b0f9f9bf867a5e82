create function pgflow.enter_call(
  tenant text,
  guards jsonb,
  call_id uuid,
  holder text,
  at timestamptz default clock_timestamp()
) returns jsonb
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  answer jsonb := '{}';
begin
  if guards ? 'rate_limiter' then
    answer := pgflow.take_turn(enter_call.tenant, guards -> 'rate_limiter', at);
    -- A slot or a try of a circuit breaker is nothing to hold while one waits for a turn.
    if answer ? 'refused' or (answer ->> 'wait')::double precision > 0 then
      return answer || '{"guard": "rate_limiter"}';
    end if;
  end if;
  if guards ? 'bulkhead' then
    answer := pgflow.take_slot(
      enter_call.tenant, guards -> 'bulkhead', enter_call.call_id, enter_call.holder, at
    );
    if answer ? 'refused' then
      return answer || '{"guard": "bulkhead"}';
    end if;
  end if;
  if guards ? 'circuit_breaker' then
    answer := pgflow.pass_circuit_breaker(
      enter_call.tenant, guards -> 'circuit_breaker', enter_call.call_id, enter_call.holder, at
    );
    if answer ? 'refused' then
      delete from pgflow.guarded_calls as call where call.call_id = enter_call.call_id;
      return answer || '{"guard": "circuit_breaker"}';
    end if;
  end if;
  return answer - 'wait';
end
$$;

comment on function pgflow.enter_call(text, jsonb, uuid, text, timestamptz) is
  'Takes a call past the guards of its step, from the outside to the inside: it may begin, wait for its turn, or is refused';
