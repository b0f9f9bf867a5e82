create function pgflow.refused_by(breaker pgflow.circuit_breakers, reason text) returns jsonb
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'refused', reason,
    'since', to_char(breaker.opened_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
    'until', to_char(breaker.open_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
    'calls', length(breaker.outcomes),
    'failures', length(replace(breaker.outcomes, '.', ''))
  )
$$;

comment on function pgflow.refused_by(pgflow.circuit_breakers, text) is
  'What a call is told that a circuit breaker does not let through; times are in UTC';
