-- Where the example flows write what they did. Handlers make these tables when they are first
-- needed; several may do so at once, hence the lock.
select pg_advisory_xact_lock(hashtextextended('pgflow_examples', 0));

create schema if not exists pgflow_examples;

create table if not exists pgflow_examples.ledger (
  entry_id bigint not null generated always as identity,
  idempotency_key text not null,
  reference text not null,
  amount integer not null,
  currency text not null,
  card text not null,
  booked_at timestamptz not null default now(),
  constraint ledger_pkey primary key (entry_id),
  constraint a_charge_is_booked_once unique (idempotency_key),
  constraint amount_is_positive check (amount > 0)
);

comment on table pgflow_examples.ledger is 'One row a charge that flow "payment" made';
comment on column pgflow_examples.ledger.amount is 'In the smallest unit of the currency';

create table if not exists pgflow_examples.results (
  idempotency_key text not null,
  flow_slug text not null,
  numbers bigint[] not null,
  saved_at timestamptz not null default now(),
  constraint results_pkey primary key (idempotency_key)
);

comment on table pgflow_examples.results is 'What flow "ai_workflow" saved';
