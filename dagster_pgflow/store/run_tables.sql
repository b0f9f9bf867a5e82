-- name: fetch_position
-- How far a sensor has read.
select position from pgflow.projection_cursors where name = :name;

-- name: save_position
-- Note how far a sensor has read.
insert into pgflow.projection_cursors (name, position, updated_at)
values (:name, cast(:position as jsonb), clock_timestamp())
on conflict on constraint projection_cursors_pkey do update
set position = excluded.position, updated_at = excluded.updated_at;

-- name: register_runs
-- Put new and changed runs on the list of those to look at; what goes on with one is a part of it.
insert into pgflow.run_cursors as run_cursor (dagster_run_id, found_at, log)
select
  coalesce(run.dagster_run_id, found.continues, found.dagster_run_id) as dagster_run_id,
  max(found.changed_at),
  max(found.log)
from unnest(
  cast(:dagster_run_ids as uuid[]), cast(:changed_at as timestamptz[]),
  cast(:continues as uuid[]), cast(:logs as text[])
) as found (dagster_run_id, changed_at, continues, log)
left join pgflow.runs as run on run.run_id = found.continues
group by 1
-- Each is due from when it is written, and so looked at, in this order.
order by max(found.changed_at), dagster_run_id
on conflict on constraint run_cursors_pkey do update
set found_at = greatest(excluded.found_at, run_cursor.found_at),
  is_final = run_cursor.is_final and excluded.found_at <= run_cursor.found_at,
  due_at = case
    when excluded.found_at > run_cursor.found_at then least(run_cursor.due_at, excluded.due_at)
    else run_cursor.due_at
  end,
  log = coalesce(excluded.log, run_cursor.log)
where excluded.found_at > run_cursor.found_at or excluded.log <> coalesce(run_cursor.log, '');

-- name: see_log
-- Note that a Dagster looks after its runs; what was noted a moment ago is not written again.
insert into pgflow.dagster_logs as known (log)
select cast(:log as text)
where not exists (
  select from pgflow.dagster_logs as lately
  where lately.log = :log and lately.seen_at > clock_timestamp() - interval '1 minute'
)
on conflict on constraint dagster_logs_pkey do update set seen_at = clock_timestamp();

-- name: bind_requested_runs
-- Tell requested runs which Dagster run they became.
update pgflow.runs as run
set dagster_run_id = found.dagster_run_id
from unnest(
  cast(:dagster_run_ids as uuid[]), cast(:run_ids as uuid[])
) as found (dagster_run_id, run_id)
where run.run_id = found.run_id
  and run.dagster_run_id is null
  and run.status = 'queued'
  and not exists (
    select from pgflow.runs as other where other.dagster_run_id = found.dagster_run_id
  );

-- name: fetch_clock
-- What time it is for the store.
select clock_timestamp();

-- name: fetch_due_cursors
-- The runs to look at, those that wait longest first.
select
  dagster_run_id, position, looks, end_seen_at is not null as end_seen, failures, log
from pgflow.run_cursors
where not is_final and due_at <= :as_of
  and (
    log is null
    or log <> all (cast((select pgflow.other_logs(cast(:own_log as text))) as text[]))
  )
order by due_at, dagster_run_id
limit :limit;

-- name: fetch_cursors
-- Some runs of the list, due or not, by their Dagster runs or those that go on with them.
select
  dagster_run_id, position, looks, end_seen_at is not null as end_seen, failures, log
from pgflow.run_cursors
where not is_final
  and dagster_run_id in (
    select unnest(cast(:dagster_run_ids as uuid[]))
    union all
    select run.dagster_run_id
    from pgflow.run_continuations as continuation
    join pgflow.runs as run on run.run_id = continuation.run_id
    where continuation.dagster_run_id = any (cast(:dagster_run_ids as uuid[]))
  )
order by dagster_run_id;

-- name: postpone_runs
-- Put runs behind others in the list of those to look at.
update pgflow.run_cursors
set due_at = clock_timestamp() + make_interval(secs => :pause)
where dagster_run_id = any (cast(:dagster_run_ids as uuid[]));

-- name: advance_run_cursor
-- Note what is read of a run, unless somebody else was faster.
update pgflow.run_cursors
set position = :position,
  looks = looks + 1,
  due_at = clock_timestamp() + make_interval(secs => :pause),
  end_seen_at = case when :is_over then coalesce(end_seen_at, clock_timestamp()) end,
  is_final = :is_final,
  failures = 0,
  error_message = null
where dagster_run_id = cast(:dagster_run_id as uuid) and looks = :looks;

-- name: note_failed_look
-- Note why a run could not be read.
update pgflow.run_cursors
set failures = failures + 1,
  error_message = :error_message,
  due_at = clock_timestamp() + make_interval(secs => :pause)
where dagster_run_id = cast(:dagster_run_id as uuid) and looks = :looks;

-- name: end_unread_run
-- End a run of which nothing but its end is known.
update pgflow.runs
set status = :status,
  error_message = :error_message,
  completed_at = case when :status = 'completed' then clock_timestamp() end,
  failed_at = case when :status <> 'completed' then clock_timestamp() end,
  updated_at = clock_timestamp()
where dagster_run_id = cast(:dagster_run_id as uuid) and status in ('queued', 'started', 'waiting');

-- name: drop_run_cursor
-- Take a run off the list.
delete from pgflow.run_cursors where dagster_run_id = cast(:dagster_run_id as uuid);

-- name: reopen_runs
-- Have every run looked at again, from its first event; whoever looks at one now is late.
update pgflow.run_cursors
set position = null, is_final = false, due_at = clock_timestamp(), looks = looks + 1;

-- name: restore_requested_runs
-- Bring back the runs of requests that nothing else tells of.
insert into pgflow.runs (
  run_id, flow_slug, flow_version, version_id, status, input, error_message, created_at,
  failed_at, updated_at
)
select
  request.run_id,
  request.flow_slug,
  pinned.version,
  pinned.version_id,
  case when request.refused_at is null then 'queued' else 'failed' end,
  request.input,
  request.refused_reason,
  request.created_at,
  request.refused_at,
  coalesce(request.refused_at, request.created_at)
from pgflow.run_requests as request
left join lateral (
  select flow_version.version, flow_version.version_id
  from pgflow.flow_versions as flow_version
  where flow_version.flow_slug = request.flow_slug
    and flow_version.version_id <= request.version_id
  order by flow_version.version_id desc
  limit 1
) as pinned on true
where not exists (select from pgflow.runs as run where run.run_id = request.run_id)
order by request.created_at, request.run_id;

-- name: fetch_identity
-- Which Dagster run has a run_id, and when the run was requested.
select run.dagster_run_id, request.created_at as requested_at
from (select cast(:run_id as uuid) as run_id) as wanted
left join pgflow.runs as run on run.run_id = wanted.run_id
left join pgflow.run_requests as request on request.run_id = wanted.run_id;

-- name: fetch_run_id
-- The run that a Dagster run is, or goes on with.
select run_id from pgflow.runs where dagster_run_id = cast(:dagster_run_id as uuid)
union all
select run_id from pgflow.run_continuations where dagster_run_id = cast(:dagster_run_id as uuid)
limit 1;

-- name: lock_continuations
-- Wait until nobody takes up a run to go on with it, and keep others from it.
select pg_advisory_xact_lock(pgflow.lock_of_continuations(cast(:run_id as uuid)));

-- name: end_continuations
-- Note that Dagster runs are over that went on with a run: there may be a next one.
select pgflow.end_continuation(continuation.run_id, continuation.number)
from pgflow.run_continuations as continuation
where continuation.dagster_run_id = any (cast(:dagster_run_ids as uuid[]))
  and continuation.ended_at is null;

-- name: recover_run
-- Have a run go on that has lost its process, unless that is seen to already.
select pgflow.recover_run(cast(:run_id as uuid), :number);

-- name: fetch_events
-- The event log of a run.
select
  event_id, run_id, sequence_num, event_type, timestamp, event_data, parent_event_id,
  correlation_id
from pgflow.event_log
where run_id = cast(:run_id as uuid)
order by sequence_num;

-- name: fetch_event_ids
-- The ids of a run's events, in order.
select array_agg(cast(event_id as text) order by sequence_num)
from pgflow.event_log
where run_id = cast(:run_id as uuid);

-- name: delete_events
-- Drop the end of a run's event log.
delete from pgflow.event_log
where run_id = cast(:run_id as uuid) and sequence_num > :kept and sequence_num <= :up_to;

-- name: insert_events
-- Add to a run's event log.
insert into pgflow.event_log (
  run_id, event_id, sequence_num, event_type, timestamp, event_data, parent_event_id,
  correlation_id
)
select cast(:run_id as uuid), event_id, sequence_num, event_type, timestamp,
  cast(event_data as jsonb), parent_event_id, correlation_id
from unnest(
  cast(:event_id as uuid[]), cast(:sequence_num as integer[]), cast(:event_type as text[]),
  cast(:timestamp as timestamptz[]), cast(:event_data as text[]),
  cast(:parent_event_id as uuid[]), cast(:correlation_id as text[])
) as given (
  event_id, sequence_num, event_type, timestamp, event_data, parent_event_id, correlation_id
);

-- name: lock_run
-- Find a run's number and keep others from writing it.
select id from pgflow.runs where run_id = cast(:run_id as uuid) for update;

-- name: insert_run
-- Add a run that nobody requested.
insert into pgflow.runs (run_id, flow_slug) values (cast(:run_id as uuid), :flow_slug)
returning id;

-- name: update_run
-- Write a run, if anything of it has changed.
update pgflow.runs
set (
  dagster_run_id, flow_slug, flow_version, version_id, status, input, output, error_message,
  remaining_steps, retry_of, created_at, started_at, completed_at, failed_at, updated_at
) = row (
  cast(:dagster_run_id as uuid), :flow_slug, cast(:flow_version as integer),
  cast(:version_id as bigint), :status, cast(:input as jsonb), cast(:output as jsonb),
  cast(:error_message as text), cast(:remaining_steps as integer), cast(:retry_of as uuid),
  cast(:created_at as timestamptz), cast(:started_at as timestamptz),
  cast(:completed_at as timestamptz), cast(:failed_at as timestamptz),
  cast(:updated_at as timestamptz)
)
where id = :id
  and (
    dagster_run_id, flow_slug, flow_version, version_id, status, input, output, error_message,
    remaining_steps, retry_of, created_at, started_at, completed_at, failed_at, updated_at
  ) is distinct from (
    cast(:dagster_run_id as uuid), :flow_slug, cast(:flow_version as integer),
    cast(:version_id as bigint), :status, cast(:input as jsonb), cast(:output as jsonb),
    cast(:error_message as text), cast(:remaining_steps as integer), cast(:retry_of as uuid),
    cast(:created_at as timestamptz), cast(:started_at as timestamptz),
    cast(:completed_at as timestamptz), cast(:failed_at as timestamptz),
    cast(:updated_at as timestamptz)
  );

-- name: drop_subruns
-- Drop the subruns of a run that do not belong, where there are more than there should be.
delete from pgflow.subruns as subrun
where subrun.parent_run_id = :id
  and (select count(*) from pgflow.subruns where parent_run_id = :id) > :wanted
  and not exists (
    select
    from unnest(cast(:subrun_path as text[])) as given (subrun_path)
    where given.subrun_path = subrun.subrun_path
  );

-- name: insert_subruns
-- Add the subruns of a run that are not there.
with given as (
  select *
  from unnest(
    cast(:subrun_path as text[]), cast(:parent_step_slug as text[]),
    cast(:subflow_slug as text[]), cast(:run_index as integer[]),
    cast(:subrun_index as integer[])
  ) as given (subrun_path, parent_step_slug, subflow_slug, run_index, subrun_index)
)
insert into pgflow.subruns (
  parent_run_id, subrun_path, parent_step_slug, subflow_slug, run_index, subrun_index
)
select :id, subrun_path, parent_step_slug, subflow_slug, run_index, subrun_index
from given
where not exists (
  select from pgflow.subruns as known
  where known.parent_run_id = :id and known.subrun_path = given.subrun_path
)
order by run_index;

-- name: update_subruns
-- Write the subruns of a run that have changed.
update pgflow.subruns as subrun
set parent_subrun_id = parent.subrun_id,
  parent_step_slug = given.parent_step_slug,
  subflow_slug = given.subflow_slug,
  run_index = given.run_index,
  subrun_index = given.subrun_index,
  map_index = given.map_index,
  status = given.status,
  input = cast(given.input as jsonb),
  output = cast(given.output as jsonb),
  error_message = given.error_message,
  created_at = given.created_at,
  started_at = given.started_at,
  completed_at = given.completed_at,
  updated_at = given.updated_at,
  dagster_run_id = given.dagster_run_id
from unnest(
  cast(:subrun_path as text[]), cast(:parent_path as text[]), cast(:parent_step_slug as text[]),
  cast(:subflow_slug as text[]), cast(:run_index as integer[]), cast(:subrun_index as integer[]),
  cast(:map_index as integer[]), cast(:status as text[]), cast(:input as text[]),
  cast(:output as text[]),
  cast(:error_message as text[]), cast(:created_at as timestamptz[]),
  cast(:started_at as timestamptz[]), cast(:completed_at as timestamptz[]),
  cast(:updated_at as timestamptz[]), cast(:dagster_run_id as uuid[])
) as given (
  subrun_path, parent_path, parent_step_slug, subflow_slug, run_index, subrun_index, map_index,
  status, input, output, error_message, created_at, started_at, completed_at, updated_at,
  dagster_run_id
)
left join pgflow.subruns as parent
  on parent.parent_run_id = :id and parent.subrun_path = given.parent_path
where subrun.parent_run_id = :id
  and subrun.subrun_path = given.subrun_path
  and (
    subrun.parent_subrun_id, subrun.parent_step_slug, subrun.subflow_slug, subrun.run_index,
    subrun.subrun_index, subrun.map_index, subrun.status, subrun.input, subrun.output,
    subrun.error_message, subrun.created_at, subrun.started_at, subrun.completed_at, subrun.updated_at,
    subrun.dagster_run_id
  ) is distinct from (
    parent.subrun_id, given.parent_step_slug, given.subflow_slug, given.run_index,
    given.subrun_index, given.map_index, given.status, cast(given.input as jsonb), cast(given.output as jsonb),
    given.error_message, given.created_at, given.started_at, given.completed_at,
    given.updated_at, given.dagster_run_id
  );
