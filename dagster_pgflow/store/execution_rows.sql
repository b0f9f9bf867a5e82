-- name: write_applied_keys
-- Apply changes of a run's counter; what was applied before changes nothing.
insert into pgflow.applied_keys (run_id, op_key, delta, applied_at, sequence_num)
select cast(:run_id as uuid), op_key, delta, applied_at, sequence_num
from unnest(
  cast(:op_key as text[]), cast(:delta as integer[]), cast(:applied_at as timestamptz[]),
  cast(:sequence_num as integer[])
) as given (op_key, delta, applied_at, sequence_num)
on conflict on constraint applied_keys_pkey do nothing;

-- name: delete_applied_keys
-- Take back the changes of a run's counter that belong to events which are dropped.
delete from pgflow.applied_keys
where run_id = cast(:run_id as uuid) and sequence_num > :kept and sequence_num <= :up_to;

-- name: drop_counter_snapshots
-- Drop the snapshots of a run's counter that do not belong, where there are too many.
delete from pgflow.run_counter_snapshots as snapshot
where snapshot.run_id = cast(:run_id as uuid)
  and (
    select count(*) from pgflow.run_counter_snapshots where run_id = cast(:run_id as uuid)
  ) > :wanted
  and not exists (
    select
    from unnest(cast(:sequence_num as integer[])) as given (sequence_num)
    where given.sequence_num = snapshot.sequence_num
  );

-- name: write_counter_snapshots
-- Write the snapshots of a run's counter that have changed.
with given as (
  select *
  from unnest(
    cast(:sequence_num as integer[]), cast(:counter as integer[]),
    cast(:taken_at as timestamptz[])
  ) as given (sequence_num, counter, taken_at)
)
insert into pgflow.run_counter_snapshots as snapshot (run_id, sequence_num, counter, taken_at)
select cast(:run_id as uuid), sequence_num, counter, taken_at from given
on conflict on constraint run_counter_snapshots_pkey do update
set counter = excluded.counter, taken_at = excluded.taken_at
where snapshot is distinct from excluded;

-- name: drop_pending_tokens
-- Drop the tokens of a run that wait no more.
delete from pgflow.pending_tokens as pending
where pending.run_id = cast(:run_id as uuid)
  and (select count(*) from pgflow.pending_tokens where run_id = cast(:run_id as uuid)) > :wanted
  and not exists (
    select
    from unnest(cast(:node as text[]), cast(:from_node as text[])) as given (node, from_node)
    where given.node = pending.node and given.from_node = pending.from_node
  );

-- name: write_pending_tokens
-- Write the tokens of a run that wait.
with given as (
  select *
  from unnest(
    cast(:node as text[]), cast(:from_node as text[]), cast(:arrived_at as timestamptz[])
  ) as given (node, from_node, arrived_at)
)
insert into pgflow.pending_tokens as pending (run_id, node, from_node, arrived_at)
select cast(:run_id as uuid), node, from_node, arrived_at from given
on conflict on constraint pending_tokens_pkey do update
set arrived_at = excluded.arrived_at
where pending is distinct from excluded;

-- name: drop_loops
-- Drop the loops of a run that do not belong.
delete from pgflow.loop_state
where run_id = cast(:run_id as uuid)
  and (select count(*) from pgflow.loop_state where run_id = cast(:run_id as uuid)) > :wanted
  and loop_path <> all (cast(:loop_path as text[]));

-- name: write_loops
-- Write the loops of a run that have changed.
with given as (
  select *
  from unnest(
    cast(:loop_path as text[]), cast(:current_iteration as integer[]),
    cast(:max_iterations as integer[]), cast(:status as text[]), cast(:ended_by as text[]),
    cast(:started_at as timestamptz[]), cast(:completed_at as timestamptz[])
  ) as given (
    loop_path, current_iteration, max_iterations, status, ended_by, started_at, completed_at
  )
)
insert into pgflow.loop_state as loop (
  run_id, loop_path, current_iteration, max_iterations, status, ended_by, started_at, completed_at
)
select
  cast(:run_id as uuid), loop_path, current_iteration, max_iterations, status, ended_by,
  started_at, completed_at
from given
on conflict on constraint loop_state_pkey do update
set current_iteration = excluded.current_iteration,
  max_iterations = excluded.max_iterations,
  status = excluded.status,
  ended_by = excluded.ended_by,
  started_at = excluded.started_at,
  completed_at = excluded.completed_at
where loop is distinct from excluded;

-- name: drop_workers
-- Drop the processes of a run that do not belong.
delete from pgflow.worker_registry
where run_id = cast(:run_id as uuid)
  and (select count(*) from pgflow.worker_registry where run_id = cast(:run_id as uuid)) > :wanted
  and worker_id <> all (cast(:worker_id as text[]));

-- name: write_workers
-- Write the processes that worked for a run and have changed.
with given as (
  select *
  from unnest(
    cast(:worker_id as text[]), cast(:host as text[]), cast(:pid as bigint[]),
    cast(:first_seen as timestamptz[]), cast(:last_heartbeat as timestamptz[]),
    cast(:load as integer[])
  ) as given (worker_id, host, pid, first_seen, last_heartbeat, load)
)
insert into pgflow.worker_registry as worker (
  run_id, worker_id, host, pid, first_seen, last_heartbeat, load
)
select cast(:run_id as uuid), worker_id, host, pid, first_seen, last_heartbeat, load
from given
on conflict on constraint worker_registry_pkey do update
set host = excluded.host,
  pid = excluded.pid,
  first_seen = excluded.first_seen,
  last_heartbeat = excluded.last_heartbeat,
  load = excluded.load
where worker is distinct from excluded;

-- name: write_statistics
-- Write the statistics of a run, if anything of them has changed.
insert into pgflow.run_statistics as statistics (
  run_id, tokens_emitted, tokens_consumed, nodes_executed, nodes_failed, nodes_skipped, retries,
  total_time_ms, terminal_nodes, completion_checks, completion_checks_saved, steps_done_at
)
values (
  cast(:run_id as uuid), :tokens_emitted, :tokens_consumed, :nodes_executed, :nodes_failed,
  :nodes_skipped, :retries, :total_time_ms, :terminal_nodes, :completion_checks,
  :completion_checks_saved, :steps_done_at
)
on conflict on constraint run_statistics_pkey do update
set tokens_emitted = excluded.tokens_emitted,
  tokens_consumed = excluded.tokens_consumed,
  nodes_executed = excluded.nodes_executed,
  nodes_failed = excluded.nodes_failed,
  nodes_skipped = excluded.nodes_skipped,
  retries = excluded.retries,
  total_time_ms = excluded.total_time_ms,
  terminal_nodes = excluded.terminal_nodes,
  completion_checks = excluded.completion_checks,
  completion_checks_saved = excluded.completion_checks_saved,
  steps_done_at = excluded.steps_done_at
where statistics is distinct from excluded;

-- name: end_unread_tokens
-- Leave no token of a run of which nothing but its end is known.
with ended as (
  select run_id from pgflow.runs
  where dagster_run_id = cast(:dagster_run_id as uuid) and status not in ('queued', 'started')
), dropped as (
  delete from pgflow.pending_tokens as pending
  using ended
  where pending.run_id = ended.run_id
)
update pgflow.run_counter_snapshots as snapshot
set counter = 0
from ended
where snapshot.run_id = ended.run_id
  and snapshot.sequence_num = (
    select max(other.sequence_num)
    from pgflow.run_counter_snapshots as other
    where other.run_id = ended.run_id
  );
