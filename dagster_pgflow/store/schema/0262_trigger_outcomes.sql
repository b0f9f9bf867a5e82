-- No foreign key to the triggers: whoever ends a run would wait for whoever deletes a trigger.
create table pgflow.trigger_outcomes (
  trigger_id bigint not null,
  event_id bigint not null,
  trigger_name text not null,
  outcome text not null default 'pending',
  run_id uuid,
  reason text,
  queued_at timestamptz not null default clock_timestamp(),
  decided_at timestamptz,
  constraint trigger_outcomes_pkey primary key (trigger_id, event_id),
  constraint trigger_outcomes_event_id_fkey foreign key (event_id)
    references pgflow.trigger_events (event_id) on delete cascade,
  constraint trigger_outcome_is_valid check (
    outcome in ('pending', 'fired', 'not_met', 'failed', 'refused', 'dropped')
  ),
  constraint what_fired_has_a_run check ((outcome = 'fired') = (run_id is not null))
);

create index trigger_outcomes_pending on pgflow.trigger_outcomes (event_id, trigger_id)
where outcome = 'pending';

create index trigger_outcomes_by_event on pgflow.trigger_outcomes (event_id);

comment on table pgflow.trigger_outcomes is
  'What each trigger made of each event; those that are pending wait to be looked at';
comment on column pgflow.trigger_outcomes.outcome is
  'fired: a run was asked for; not_met: the condition does not hold; failed: it could not be decided or started; refused: the chain is too long; dropped: the trigger was off or gone';
comment on column pgflow.trigger_outcomes.run_id is 'The run that was asked for';
