create view pgflow.v_circuit_breakers as
select
  breaker.tenant,
  breaker.key,
  case
    when breaker.state = 'open' and breaker.open_until <= clock_timestamp() then 'half_open'
    else breaker.state
  end as state,
  length(breaker.outcomes) as calls,
  length(replace(breaker.outcomes, '.', '')) as failures,
  round(
    100.0 * length(replace(breaker.outcomes, '.', '')) / nullif(length(breaker.outcomes), 0), 1
  ) as failure_rate,
  breaker.opened_at,
  breaker.open_until,
  (
    select count(*)
    from pgflow.guarded_calls as call
    where call.tenant = breaker.tenant
      and call.key = breaker.key
      and call.guard = 'circuit_breaker'
      and call.round = breaker.round
      and call.expires_at > clock_timestamp()
  ) as trying,
  breaker.changed_at
from pgflow.circuit_breakers as breaker;

comment on view pgflow.v_circuit_breakers is
  'How each circuit breaker stands: its state, what the calls came to that count, and until when it is open';
