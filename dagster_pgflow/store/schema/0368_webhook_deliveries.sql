create table pgflow.webhook_deliveries (
  delivery_id uuid not null default gen_random_uuid(),
  run_id uuid not null,
  flow_slug text not null,
  event text not null,
  happened_at timestamptz not null,
  url text not null,
  secret_name text not null,
  allow_private boolean not null default false,
  body text not null,
  status text not null default 'pending',
  attempts integer not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  answer integer,
  error_message text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  constraint webhook_deliveries_pkey primary key (delivery_id),
  constraint status_is_valid check (status in ('pending', 'delivered', 'given_up')),
  constraint attempts_is_nonnegative check (attempts >= 0)
);

-- A run ends once, whatever is rebuilt; it may wait several times.
create unique index webhook_deliveries_by_end on pgflow.webhook_deliveries (run_id, event)
where event <> 'run.waiting';

create unique index webhook_deliveries_by_wait on pgflow.webhook_deliveries (run_id, event, happened_at)
where event = 'run.waiting';

create index webhook_deliveries_pending on pgflow.webhook_deliveries (due_at)
where status = 'pending';

comment on table pgflow.webhook_deliveries is
  'What is to be told to the webhooks of flows, and what became of it; kept until its run is deleted';
comment on column pgflow.webhook_deliveries.secret_name is
  'The environment variable PGFLOW_SECRET_<name> of the process that sends has the secret';
comment on column pgflow.webhook_deliveries.body is 'What is sent, the same each time';
comment on column pgflow.webhook_deliveries.attempts is 'How often somebody began to send it';
comment on column pgflow.webhook_deliveries.due_at is
  'When it is sent next; while it is being sent, when somebody else tries who finds it still pending';
comment on column pgflow.webhook_deliveries.answer is 'The last HTTP status';
