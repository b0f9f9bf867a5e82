create table pgflow.guarded_calls (
  call_id uuid not null,
  guard text not null,
  tenant text not null default '',
  key text not null,
  round integer,
  holder text not null,
  begun_at timestamptz not null,
  expires_at timestamptz not null,
  constraint guarded_calls_pkey primary key (call_id, guard),
  constraint guarded_calls_guard_check check (guard in ('bulkhead', 'circuit_breaker'))
);

create index guarded_calls_by_key on pgflow.guarded_calls (tenant, key, guard);

comment on table pgflow.guarded_calls is
  'The calls under way that hold a slot of a bulkhead, or try whether a half open circuit breaker may close';
comment on column pgflow.guarded_calls.round is 'The round of the circuit breaker that the call is of';
comment on column pgflow.guarded_calls.holder is 'Whose call it is: the run, the step, the process';
comment on column pgflow.guarded_calls.expires_at is
  'Until when it counts; the process at work moves this on, so what a dead one held is free soon';

create function pgflow.call_lease() returns interval
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select interval '30 seconds'
$$;

comment on function pgflow.call_lease() is
  'For how long a guarded call counts after its process was last heard of';
