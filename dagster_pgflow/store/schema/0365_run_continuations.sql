create table pgflow.run_continuations (
  run_id uuid not null,
  number integer not null,
  dagster_run_id uuid,
  kind text not null,
  created_at timestamptz not null default clock_timestamp(),
  claimed_at timestamptz,
  ended_at timestamptz,
  needs_queue boolean not null default false,
  tries integer not null default 0,
  problem text,
  not_before timestamptz,
  constraint run_continuations_pkey primary key (run_id, number),
  constraint run_continuations_dagster_run_id_key unique (dagster_run_id),
  constraint number_counts_from_1 check (number >= 1),
  constraint kind_is_valid check (kind in ('resume', 'cancel', 'recover'))
);

create unique index run_continuations_under_way on pgflow.run_continuations (run_id)
where ended_at is null;

comment on table pgflow.run_continuations is
  'The Dagster runs that a run goes on in, after its first; one at a time';
comment on column pgflow.run_continuations.kind is
  'Why it goes on: resume is that something has come that it waited for';
comment on column pgflow.run_continuations.claimed_at is
  'When somebody last began to make its Dagster run; null while nobody has';
comment on column pgflow.run_continuations.needs_queue is
  'Whether it is for Dagster''s queue, and live workers leave it alone';
comment on column pgflow.run_continuations.tries is 'How often it could not go on';
comment on column pgflow.run_continuations.problem is
  'Why the run cannot go on, as far as somebody has tried; it is tried again';
comment on column pgflow.run_continuations.not_before is
  'When it is tried again, after it could not go on';
comment on column pgflow.run_continuations.ended_at is
  'When its Dagster run was seen to be over; until then there is no next one';
