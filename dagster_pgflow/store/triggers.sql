-- name: create_trigger
-- Store a trigger, or find the equal one that is there.
select to_jsonb(made) as trigger
from pgflow.create_trigger(
  name => :name,
  on_event => :on_event,
  target_flow => :target_flow,
  source_flow => cast(:source_flow as text),
  asset_key => cast(:asset_key as text),
  signal_name => cast(:signal_name as text),
  condition => cast(:condition as text),
  input => cast(:input as jsonb),
  enabled => :enabled
) as made;

-- name: delete_trigger
-- Delete a trigger.
select name from pgflow.delete_trigger(:name);

-- name: enable_trigger
-- Turn a trigger on or off.
select name from pgflow.enable_trigger(:name, :enabled);

-- name: fetch_triggers
-- Every trigger, or those to and from a flow, each with what it last made of an event.
select
  listening.name, listening.on_event, listening.target_flow, listening.source_flow,
  listening.asset_key, listening.signal_name, listening.condition,
  cast(listening.input as text) as input, listening.enabled, listening.active_since,
  pgflow.closes_circle(listening) as closes_circle,
  last.outcome as last_outcome, last.reason as last_reason, last.run_id as last_run_id,
  last.decided_at as last_decided_at,
  (
    select count(*)
    from pgflow.trigger_outcomes as waiting
    where waiting.trigger_id = listening.trigger_id and waiting.outcome = 'pending'
  ) as pending
from pgflow.triggers as listening
left join lateral (
  select outcome.outcome, outcome.reason, outcome.run_id, outcome.decided_at
  from pgflow.trigger_outcomes as outcome
  where outcome.trigger_id = listening.trigger_id and outcome.outcome <> 'pending'
  order by outcome.event_id desc
  limit 1
) as last on true
where cast(:flow_slug as text) is null
  or cast(:flow_slug as text) in (listening.target_flow, listening.source_flow)
order by listening.name;

-- name: note_reminders
-- Queue the reminders that are due; of how many steps.
select pgflow.note_reminders();

-- name: is_trigger_pending
-- Whether a trigger has an event to look at.
select exists (select from pgflow.trigger_outcomes as waiting where waiting.outcome = 'pending');

-- name: fetch_pending_triggers
-- Triggers that have events to look at, the oldest event first, held until that is done.
select
  waiting.trigger_id, waiting.event_id, listening.condition,
  cast(listening.input as text) as input, coalesce(listening.enabled, false) as enabled
from pgflow.trigger_outcomes as waiting
left join pgflow.triggers as listening on listening.trigger_id = waiting.trigger_id
where waiting.outcome = 'pending'
order by waiting.event_id, waiting.trigger_id
limit :limit
for update of waiting skip locked;

-- name: fetch_event
-- An event as triggers see it.
select cast(pgflow.event_of(:event_id) as text);

-- name: fire_trigger
-- Start what a trigger starts at an event, once.
select pgflow.fire_trigger(:trigger_id, :event_id, cast(:input as jsonb));

-- name: put_trigger_outcome
-- Note what a trigger made of an event that starts nothing.
update pgflow.trigger_outcomes
set outcome = :outcome, reason = cast(:reason as text), decided_at = clock_timestamp()
where trigger_id = :trigger_id and event_id = :event_id;

-- name: fetch_wanted_assets
-- The assets that triggers look at, with how far a log is read, those looked at longest ago first.
select
  wanted.asset_key, wanted.active_since,
  known.storage_id, known.begun_at, known.read_to, known.mark, known.marked_at
from (
  select listening.asset_key, min(listening.active_since) as active_since
  from pgflow.triggers as listening
  where listening.enabled and listening.asset_key is not null
  group by listening.asset_key
) as wanted
left join pgflow.asset_cursors as known
  on known.asset_key = wanted.asset_key and known.log = :log
order by known.looked_at nulls first, wanted.asset_key;

-- name: note_asset_events
-- Queue materializations for the triggers that name their assets.
select pgflow.note_asset_events(cast(:events as jsonb));

-- name: advance_asset_cursor
-- Note how far a log of Dagster is read of an asset.
insert into pgflow.asset_cursors (
  asset_key, storage_id, log, begun_at, read_to, mark, marked_at
)
values (
  :asset_key, cast(:storage_id as bigint), :log, cast(:begun_at as timestamptz),
  cast(:read_to as bigint), cast(:mark as bigint), cast(:marked_at as timestamptz)
)
on conflict on constraint asset_cursors_pkey do update
set
  storage_id = greatest(asset_cursors.storage_id, excluded.storage_id),
  begun_at = excluded.begun_at,
  read_to = excluded.read_to,
  mark = excluded.mark,
  marked_at = excluded.marked_at,
  looked_at = clock_timestamp();
