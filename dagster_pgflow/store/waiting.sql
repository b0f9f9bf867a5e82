-- name: open_wait
-- Have a step wait, unless it does already, and say how that stands. One that is cancelled while its
-- run goes on, with what it lies in, waits as before, only that nothing comes any more.
select
  case
    when wait.status = 'cancelled' and exists (
      select
      from pgflow.step_states as step
      join pgflow.runs as run on run.run_id = step.run_id
      where step.run_id = wait.run_id
        and step.step_path = wait.step_path
        and step.status = 'cancelled'
        and run.status in ('queued', 'started', 'waiting')
    )
    then 'open'
    else wait.status
  end as status,
  cast(extract(epoch from wait.opened_at) as double precision) as opened_at,
  cast(extract(epoch from wait.due_at) as double precision) as due_at,
  to_char(wait.closed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as closed_at,
  wait.answer,
  wait.answered_by
from pgflow.open_wait(
  run_id => cast(:run_id as uuid),
  step_path => :step_path,
  kind => :kind,
  flow_slug => :flow_slug,
  step_slug => :step_slug,
  tenant => :tenant,
  prompt => :prompt,
  answer_schema => cast(:answer_schema as jsonb),
  answerers => cast(:answerers as text[]),
  signal => :signal,
  key => :key,
  seconds => cast(:seconds as double precision),
  until => cast(:until as double precision),
  reminders => cast(:reminders as integer[]),
  dagster_run_id => cast(:dagster_run_id as uuid)
) as wait;

-- name: end_waits_of_steps
-- End what steps wait for that are cancelled: nobody need answer any more.
update pgflow.waits as wait
set status = 'cancelled', closed_at = clock_timestamp(), taken_at = clock_timestamp()
where wait.run_id = cast(:run_id as uuid)
  and wait.step_path = any (cast(:step_paths as text[]))
  and wait.status = 'open';

-- name: answer_wait
-- Answer a step that waits.
select wait.answered_by, wait.closed_at as answered_at, wait.answer_schema
from pgflow.answer(
  run_id => cast(:run_id as uuid),
  step_path => :step_path,
  answer => cast(:answer as jsonb),
  answered_by => :answered_by,
  acting_as => :acting_as
) as wait;

-- name: send_signal
-- Send a signal; to how many steps it went.
select pgflow.signal(
  name => :name,
  key => :key,
  payload => cast(:payload as jsonb),
  expires_in => make_interval(secs => cast(:expires_in_s as double precision)),
  broadcast => :broadcast,
  sent_from => cast(:sent_from as uuid)
);

-- name: fetch_open_waits
-- What a person can answer, the oldest first; of one flow, or of one run.
select
  open.run_id,
  open.flow_slug,
  open.step_path,
  open.kind,
  open.prompt,
  open.answer_schema,
  open.answerers,
  open.signal,
  open.key,
  open.waiting_since,
  open.due_at
from pgflow.v_open_waits as open
where (cast(:flow_slug as text) is null or open.flow_slug = :flow_slug)
  and (cast(:run_id as uuid) is null or open.run_id = cast(:run_id as uuid))
order by open.waiting_since, open.run_id, open.step_path
limit :limit;

-- name: claim_continuation
-- The run that is to go on next, held until the end of the transaction. For Dagster's queue, all are
-- that live workers have left to it; while one is there, it has the others for some time.
select claimed.run_id, claimed.number, claimed.kind, claimed.flow_slug, claimed.dagster_run_id
from pgflow.claim_continuation(
  make_interval(secs => :lease_s),
  :in_queue,
  case
    when :in_queue and exists (
      select from pgflow.live_workers as worker
      where worker.seen_at > clock_timestamp() - make_interval(secs => :there_for)
    )
    then clock_timestamp() - make_interval(secs => :live_has_it_for)
  end,
  cast(:own_log as text)
) as claimed;

-- name: postpone_continuation
-- Say why a run cannot go on, and try again later: after 10 seconds, 20, 40, and so on up to an hour.
update pgflow.run_continuations
set
  tries = tries + 1,
  problem = :problem,
  claimed_at = null,
  not_before = clock_timestamp()
    + make_interval(secs => least(10 * power(2, least(tries, 20)), 3600))
where run_id = cast(:run_id as uuid) and number = :number and ended_at is null;

-- name: insert_postponed_continuation
-- Have a row for a continuation whose claim was lost with the process that had it.
insert into pgflow.run_continuations (run_id, number, kind)
select run.run_id, cast(:number as integer), 'resume'
from pgflow.runs as run
where run.run_id = cast(:run_id as uuid) and run.status = 'waiting'
on conflict do nothing;

-- name: leave_continuation_to_queue
-- Leave a run that is to go on to Dagster's queue; live workers do not look at it again.
update pgflow.run_continuations
set needs_queue = true, claimed_at = case when :at_once then null else claimed_at end
where run_id = cast(:run_id as uuid) and number = :number;

-- name: try_continuations_again
-- Try at once again what could not go on.
update pgflow.run_continuations
set not_before = null
where ended_at is null and not_before is not null;

-- name: fetch_newest_continuation
-- The newest Dagster run of a run that has waited.
select dagster_run_id
from pgflow.run_continuations
where run_id = cast(:run_id as uuid) and dagster_run_id is not null
order by number desc
limit 1;

-- name: name_continuation
-- Say which Dagster run a run goes on in.
update pgflow.run_continuations
set dagster_run_id = cast(:dagster_run_id as uuid)
where run_id = cast(:run_id as uuid) and number = :number;

-- name: end_continuation
-- Note that the Dagster run of a continuation is over.
select pgflow.end_continuation(cast(:run_id as uuid), :number);

-- name: cancel_waiting_run
-- Have a run end that waits.
select pgflow.cancel_waiting_run(cast(:run_id as uuid));

-- name: fetch_seconds_until_due
-- In how many seconds the next wait is over by itself, or somebody is to be reminded of one.
select extract(
  epoch from least(
    (select min(due_at) from pgflow.waits where status = 'open' and due_at > statement_timestamp()),
    (
      select min(reminder_at)
      from pgflow.waits
      where status = 'open' and reminder_at > statement_timestamp()
    )
  ) - clock_timestamp()
) as seconds;
