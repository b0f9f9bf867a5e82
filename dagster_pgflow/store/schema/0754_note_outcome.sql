create function pgflow.note_outcome(
  tenant text,
  circuit_breaker jsonb,
  has_failed boolean,
  round integer,
  was_trying boolean,
  at timestamptz
) returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  rate constant integer := (circuit_breaker ->> 'failure_rate')::integer;
  size constant integer := (circuit_breaker ->> 'window')::integer;
  most constant integer := (circuit_breaker ->> 'half_open_calls')::integer;
  breaker pgflow.circuit_breakers;
  calls integer;
  failures integer;
  next_state text;
begin
  select known.* into breaker
  from pgflow.circuit_breakers as known
  where known.tenant = note_outcome.tenant and known.key = circuit_breaker ->> 'key'
  for update;
  if not found then
    insert into pgflow.circuit_breakers (tenant, key, changed_at)
    values (note_outcome.tenant, circuit_breaker ->> 'key', at)
    on conflict on constraint circuit_breakers_pkey do nothing;
    select known.* into breaker
    from pgflow.circuit_breakers as known
    where known.tenant = note_outcome.tenant and known.key = circuit_breaker ->> 'key'
    for update;
  end if;
  -- What a call says that began before the state changed is no news of the state now.
  if breaker.round <> note_outcome.round
    or breaker.state = 'open'
    or (breaker.state = 'half_open' and not was_trying)
  then
    return;
  end if;
  breaker.outcomes := breaker.outcomes || case when has_failed then 'x' else '.' end;
  if breaker.state = 'closed' then
    breaker.outcomes := right(breaker.outcomes, size);
  end if;
  calls := length(breaker.outcomes);
  failures := length(replace(breaker.outcomes, '.', ''));
  next_state := case
    when breaker.state = 'closed' then
      case when calls >= least((circuit_breaker ->> 'min_calls')::integer, size)
        and failures * 100 >= rate * calls then 'open' else 'closed' end
    -- Half open: as soon as the calls that are left cannot change it.
    when failures * 100 >= rate * most then 'open'
    when (most - calls + failures) * 100 < rate * most then 'closed'
    else 'half_open'
  end;
  update pgflow.circuit_breakers as known
  set
    state = next_state,
    outcomes = case
      when breaker.state = 'half_open' and next_state = 'closed' then ''
      else breaker.outcomes
    end,
    round = breaker.round + (next_state <> breaker.state)::integer,
    opened_at = case next_state
      when 'open' then at when 'half_open' then breaker.opened_at
    end,
    open_until = case next_state
      when 'open' then at + make_interval(secs => (circuit_breaker ->> 'open_seconds')::integer)
      when 'half_open' then breaker.open_until
    end,
    changed_at = case when next_state = breaker.state then breaker.changed_at else at end
  where known.tenant = breaker.tenant and known.key = breaker.key;
end
$$;

comment on function pgflow.note_outcome(text, jsonb, boolean, integer, boolean, timestamptz) is
  'Notes what a call past a circuit breaker came to, which may open or close it';
