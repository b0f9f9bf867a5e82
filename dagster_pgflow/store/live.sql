-- name: claim_request
-- The request that a live worker is to start next, held until the end of the transaction; or one
-- that could be it, when its concurrency key is known.
select run_id, flow_slug, version_id, created_at, awaits_key
from pgflow.claim_request(passes_unkeyed => :passes_unkeyed);

-- name: leave_to_queue
-- Leave a request to Dagster's queue; no live worker looks at it again.
update pgflow.run_requests
set needs_queue = true, handed_over_at = null, turn = null
where run_id = cast(:run_id as uuid);

-- name: hold_live_run
-- Note that a live worker has a run.
insert into pgflow.live_runs (dagster_run_id, code_location, worker_id, tries, seen_at)
values (
  cast(:dagster_run_id as uuid), :code_location, cast(:worker_id as uuid), 1, clock_timestamp()
)
on conflict on constraint live_runs_pkey do update
set worker_id = excluded.worker_id, tries = live_runs.tries + 1, seen_at = excluded.seen_at;

-- name: take_live_run
-- The run that waits longest for a live worker of a code location: now it is this one's.
update pgflow.live_runs as live_run
set worker_id = cast(:worker_id as uuid), tries = live_run.tries + 1, seen_at = clock_timestamp()
where live_run.dagster_run_id = (
  select waiting.dagster_run_id
  from pgflow.live_runs as waiting
  where waiting.code_location = :code_location and waiting.worker_id is null
  order by waiting.asked_at, waiting.dagster_run_id
  limit 1
  for update skip locked
)
returning live_run.dagster_run_id;

-- name: see_live_run
-- Say that a run is at work, and hear whether it shall end; no row when it is nobody's any more.
update pgflow.live_runs
set seen_at = clock_timestamp()
where dagster_run_id = cast(:dagster_run_id as uuid) and worker_id = cast(:worker_id as uuid)
returning cancel_asked_at is not null as shall_end;

-- name: release_live_run
-- A run has ended.
delete from pgflow.live_runs where dagster_run_id = cast(:dagster_run_id as uuid);

-- name: return_live_run
-- A run whose process is gone before it began: the next worker may take it; whether one may.
update pgflow.live_runs
set worker_id = null
where dagster_run_id = cast(:dagster_run_id as uuid) and tries < :most_tries
returning true;

-- name: find_lost_live_runs
-- The runs whose process has said nothing for too long: now it is this worker that has them.
update pgflow.live_runs as live_run
set worker_id = cast(:worker_id as uuid), seen_at = clock_timestamp()
where live_run.dagster_run_id in (
  select lost.dagster_run_id
  from pgflow.live_runs as lost
  where lost.code_location = :code_location
    and lost.worker_id is not null
    and lost.seen_at < clock_timestamp() - make_interval(secs => :silent_for)
  order by lost.dagster_run_id
  for update skip locked
)
returning live_run.dagster_run_id;

-- name: offer_live_run
-- Ask the live workers of a code location to take a run.
with offered as (
  insert into pgflow.live_runs (dagster_run_id, code_location)
  values (cast(:dagster_run_id as uuid), :code_location)
  on conflict do nothing
)
select pg_notify('pgflow_live', cast(:dagster_run_id as text));

-- name: fetch_live_room
-- How many runs more the live workers of a code location could have; null when there is no worker.
select sum(worker.concurrency) - (
  select count(*)
  from pgflow.live_runs as live_run
  where live_run.code_location = :code_location
    and (
      live_run.worker_id is null
      or live_run.seen_at > clock_timestamp() - make_interval(secs => :silent_for)
    )
)
from pgflow.live_workers as worker
where worker.code_location = :code_location
  and worker.seen_at > clock_timestamp() - make_interval(secs => :within);

-- name: is_live_run_taken
-- Whether a worker has a run, or it waits for one; no row when it is over, or never was here.
select worker_id is not null
from pgflow.live_runs
where dagster_run_id = cast(:dagster_run_id as uuid);

-- name: withdraw_live_run
-- Take back a run that no live worker has taken; whether it could be.
delete from pgflow.live_runs
where dagster_run_id = cast(:dagster_run_id as uuid) and worker_id is null
returning true;

-- name: ask_live_run_to_end
-- Ask for the end of a run that a live worker has; whether one has it.
with asked as (
  update pgflow.live_runs
  set cancel_asked_at = coalesce(cancel_asked_at, clock_timestamp())
  where dagster_run_id = cast(:dagster_run_id as uuid)
  returning dagster_run_id
)
select count(pg_notify('pgflow_live', 'end ' || asked.dagster_run_id)) > 0 from asked;

-- name: fetch_live_run_silence
-- For how many seconds the process of a run has said nothing; null when no live worker has it.
select extract(epoch from clock_timestamp() - seen_at)
from pgflow.live_runs
where dagster_run_id = cast(:dagster_run_id as uuid) and worker_id is not null;

-- name: enter_live_worker
-- A live worker is here, or is here still; those that said nothing for a day are forgotten.
with forgotten as (
  delete from pgflow.live_workers where seen_at < now() - interval '1 day'
)
insert into pgflow.live_workers (
  worker_id, code_location, host, process_id, concurrency, version
)
values (
  cast(:worker_id as uuid), :code_location, :host, :process_id, :concurrency, :version
)
on conflict on constraint live_workers_pkey do update set seen_at = clock_timestamp();

-- name: leave_live_worker
-- A live worker ends.
delete from pgflow.live_workers where worker_id = cast(:worker_id as uuid);

-- name: fetch_live_workers
-- The live workers that said lately that they are there.
select worker_id, code_location, host, process_id, concurrency, version, started_at, seen_at
from pgflow.live_workers
where seen_at > clock_timestamp() - make_interval(secs => :within)
order by started_at, worker_id;

-- name: count_waiting_requests
-- How many requests wait for a worker, or for the queue.
select count(*)
from pgflow.runs as run
join pgflow.run_requests as request on request.run_id = run.run_id
where run.status = 'queued' and run.dagster_run_id is null and request.refused_at is null;
