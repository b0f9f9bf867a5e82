create table pgflow.signals (
  signal_id bigint not null generated always as identity,
  name text not null,
  key text,
  payload pgflow.json_within_limits not null default 'null',
  broadcast boolean not null default false,
  tenants text[] not null default '{*}',
  sent_by text not null default session_user,
  sent_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  is_unmatched boolean not null default false,
  taken_at timestamptz,
  taken_by bigint,
  sent_from uuid,
  constraint signals_pkey primary key (signal_id),
  constraint name_is_valid check (name <> '' and length(name) <= 200),
  constraint key_is_not_too_long check (length(key) <= 4000),
  constraint only_one_for_all_has_no_key check (key is not null or broadcast),
  constraint one_for_all_is_taken_by_nobody check (taken_at is null or not broadcast),
  constraint who_takes_it_has_its_time check ((taken_at is null) = (taken_by is null))
);

create index signals_that_are_kept on pgflow.signals (name, md5(key), signal_id)
where taken_at is null;

create index signals_by_expiry on pgflow.signals (expires_at);

create index signals_to_match on pgflow.signals (signal_id) where is_unmatched;

comment on table pgflow.signals is
  'Signals that were sent, until they expire; a step that begins to wait takes what came before';
comment on column pgflow.signals.key is 'Whose it is among the steps that wait for the name; null is all of them';
comment on column pgflow.signals.broadcast is
  'Whether it goes to each step that waits for it, before it expires, and is not used up';
comment on column pgflow.signals.tenants is 'The tenants whose steps may take it; * is every tenant';
comment on column pgflow.signals.sent_from is 'The run whose handler sent it, as far as that is known';
comment on column pgflow.signals.is_unmatched is
  'Whether whoever sent it could not see every step that waits, so that others have still to look';
comment on column pgflow.signals.taken_by is 'The wait_id of what took it';
