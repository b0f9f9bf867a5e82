create table pgflow.waits (
  wait_id bigint not null generated always as identity,
  run_id uuid not null,
  step_path text not null,
  kind text not null,
  flow_slug text not null,
  step_slug text not null,
  tenant text not null default '',
  prompt text not null default '',
  answer_schema jsonb,
  answerers text[] not null default '{}',
  signal text,
  key text,
  opened_at timestamptz not null default clock_timestamp(),
  due_at timestamptz,
  reminders integer[] not null default '{}',
  status text not null default 'open',
  answer pgflow.json_within_limits,
  answered_by text,
  closed_at timestamptz,
  taken_at timestamptz,
  reminder_at timestamptz,
  constraint waits_pkey primary key (wait_id),
  constraint waits_run_id_step_path_key unique (run_id, step_path),
  constraint kind_is_valid check (kind in ('approval', 'wait', 'sleep')),
  constraint status_is_valid check (status in ('open', 'answered', 'timed_out', 'cancelled')),
  constraint what_is_over_has_its_time check ((status = 'open') = (closed_at is null)),
  constraint only_what_is_over_is_taken check (taken_at is null or status <> 'open'),
  constraint only_what_is_answered_has_an_answer check (answer is null or status = 'answered'),
  constraint a_signal_has_a_key check ((signal is null) = (key is null)),
  constraint a_sleep_ends check (kind <> 'sleep' or due_at is not null),
  constraint signal_is_not_too_long check (length(signal) <= 200),
  constraint key_is_not_too_long check (length(key) <= 4000)
);

-- Keys may be long, and an entry of an index may not.
create index waits_for_signals on pgflow.waits (signal, md5(key), opened_at, wait_id)
where status = 'open' and signal is not null;

create index waits_that_are_open on pgflow.waits (opened_at, wait_id) where status = 'open';

create index waits_by_deadline on pgflow.waits (due_at, wait_id)
where status = 'open' and due_at is not null;

create index waits_by_reminder on pgflow.waits (reminder_at, wait_id)
where status = 'open' and reminder_at is not null;

create index waits_to_go_on_from on pgflow.waits (closed_at, wait_id)
where status <> 'open' and taken_at is null;

comment on table pgflow.waits is
  'What the steps of runs wait for, and waited for; the row may be there before its run is one of pgflow.runs';
comment on column pgflow.waits.flow_slug is 'The flow that the step is of';
comment on column pgflow.waits.answerers is
  'Who may answer: names that people answer by, or database roles; empty is everybody who may answer at all';
comment on column pgflow.waits.key is 'Which signals of this name are for it';
comment on column pgflow.waits.due_at is 'When it is over at the latest';
comment on column pgflow.waits.reminders is 'After how many seconds somebody is to be reminded';
comment on column pgflow.waits.reminder_at is
  'When the next reminder is due; null when there is none left';
comment on column pgflow.waits.answer is
  'What was answered, or the payload of the signal; null while there is none, JSON null is an answer';
comment on column pgflow.waits.taken_at is 'When its step has learned how it ended';
