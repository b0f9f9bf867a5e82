create table pgflow.trigger_events (
  event_id bigint not null generated always as identity,
  type text not null,
  source text not null,
  run_id uuid,
  content jsonb,
  happened_at timestamptz not null,
  noted_at timestamptz not null default clock_timestamp(),
  constraint trigger_events_pkey primary key (event_id),
  constraint each_event_is_noted_once unique (type, source)
);

comment on table pgflow.trigger_events is 'What happened that some trigger was to look at';
comment on column pgflow.trigger_events.source is
  'What tells it from all others of its type: the run, the entry in Dagster''s log, the signal';
comment on column pgflow.trigger_events.run_id is
  'The run that ended, or in which it happened, as far as that is known';
comment on column pgflow.trigger_events.content is
  'The event; null for the end of a run, of which all is in pgflow.runs';
