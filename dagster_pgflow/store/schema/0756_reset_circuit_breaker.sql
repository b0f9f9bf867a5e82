create function pgflow.reset_circuit_breaker(key text, tenant text default null) returns integer
language sql
set search_path to pg_catalog, pg_temp
as $$
  with closed as (
    update pgflow.circuit_breakers as known
    set
      state = 'closed', outcomes = '', round = known.round + 1, opened_at = null,
      open_until = null, changed_at = clock_timestamp()
    where known.key = reset_circuit_breaker.key
      and known.tenant = coalesce(reset_circuit_breaker.tenant, known.tenant)
    returning known.key
  )
  select count(*)::integer from closed
$$;

comment on function pgflow.reset_circuit_breaker(text, text) is
  'Closes a circuit breaker and forgets its calls, that of one tenant or all that the user sees; returns how many there were';
