create table pgflow.circuit_breakers (
  tenant text not null default '',
  key text not null,
  state text not null default 'closed',
  outcomes text not null default '',
  round integer not null default 0,
  opened_at timestamptz,
  open_until timestamptz,
  changed_at timestamptz not null default now(),
  constraint circuit_breakers_pkey primary key (tenant, key),
  constraint circuit_breakers_state_check check (state in ('closed', 'open', 'half_open')),
  constraint outcomes_are_dots_and_crosses check (outcomes ~ '^[.x]*$'),
  constraint what_is_not_closed_was_opened
    check ((state = 'closed') = (opened_at is null) and (opened_at is null) = (open_until is null))
)
-- Each call that ends writes its row anew; room beside it keeps that off the indexes.
with (fillfactor = 50);

comment on table pgflow.circuit_breakers is
  'What the last calls past each circuit breaker came to; v_circuit_breakers is easier to read';
comment on column pgflow.circuit_breakers.tenant is
  'The tag "tenant" of the flows whose calls count here; empty for flows without one';
comment on column pgflow.circuit_breakers.key is
  'The key that steps name, else <flow>.<step>';
comment on column pgflow.circuit_breakers.state is
  'An open one becomes half_open with the first call after open_until';
comment on column pgflow.circuit_breakers.outcomes is
  'The last calls, the newest at the end: . went well, x failed';
comment on column pgflow.circuit_breakers.round is
  'Counts its changes of state: what a call came to that began in another round does not count';
