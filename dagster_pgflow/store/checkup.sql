-- name: fetch_server_facts
-- Which server and database this is, and as whom we are there.
select
  current_setting('server_version') as version,
  cast(current_setting('server_version_num') as integer) / 10000 as major,
  current_database() as database,
  current_user as user_name;

-- name: fetch_missing_rights
-- What the user of this connection lacks of the rights of a worker.
select distinct wanted.privilege || ' on ' || wanted.name as missing
from (
  select
    'pgflow.' || rights.name as name,
    privilege.name as privilege,
    -- An update may be granted of some columns.
    case split_part(privilege.name, ' ', 1)
      when 'delete' then has_table_privilege(relation.oid, 'delete')
      else has_any_column_privilege(relation.oid, split_part(privilege.name, ' ', 1))
    end as granted
  from pgflow.role_rights() as rights
  join pg_catalog.pg_class as relation
    on relation.relnamespace = to_regnamespace('pgflow') and relation.relname = rights.name
  cross join regexp_split_to_table(rights.privileges, ', (?![^(]*\))') as privilege (name)
  where rights.role = 'worker' and rights.kind = 'table'
  union all
  select
    cast(cast(routine.oid as regprocedure) as text),
    'execute',
    has_function_privilege(routine.oid, 'execute')
  from pgflow.role_rights() as rights
  join pg_catalog.pg_proc as routine
    on routine.pronamespace = to_regnamespace('pgflow') and routine.proname = rights.name
  where rights.role = 'worker' and rights.kind = 'function'
) as wanted
where not wanted.granted
order by 1;

-- name: fetch_waiting_requests
-- How many requests Dagster has no run of yet, and for how many seconds the oldest waits of those
-- that no limit of their flow holds.
select
  count(*) as waiting,
  count(*) filter (where waiting.is_held_by_limit) as held,
  count(*) filter (
    where request.handed_over_at is null and not waiting.is_held_by_limit
  ) as never_seen,
  extract(
    epoch from clock_timestamp()
      - min(waiting.created_at) filter (where not waiting.is_held_by_limit)
  ) as oldest_s
from pgflow.waiting_requests as waiting
join pgflow.run_requests as request on request.run_id = waiting.run_id;

-- name: fetch_projection_lag
-- How long ago the projection looked for runs, and how many it has still to look at.
select
  (
    select extract(epoch from clock_timestamp() - max(updated_at))
    from pgflow.projection_cursors
  ) as looked_s,
  (select count(*) from pgflow.run_cursors where not is_final and failures > 0) as in_trouble,
  (
    select run_cursor.error_message
    from pgflow.run_cursors as run_cursor
    where not run_cursor.is_final and run_cursor.failures > 0
    order by run_cursor.due_at, run_cursor.dagster_run_id
    limit 1
  ) as trouble,
  (select count(*) from pgflow.runs where status in ('queued', 'started')) as under_way;

-- name: fetch_waiting_runs
-- How many runs wait, since when the oldest one does, what keeps some from going on, and how many
-- have had what they wait for longer than anybody should take to look.
select
  count(*) as waiting,
  extract(epoch from clock_timestamp() - min(run.updated_at)) as oldest_s,
  (
    select count(*)
    from pgflow.runs_to_go_on(make_interval(secs => :patience_s)) as ready
    where ready.since < clock_timestamp() - make_interval(secs => :patience_s)
  ) as left_alone,
  count(blocked.problem) as blocked,
  min(blocked.problem) as problem
from pgflow.runs as run
left join lateral (
  select continuation.problem
  from pgflow.run_continuations as continuation
  where continuation.run_id = run.run_id
    and continuation.ended_at is null
    and continuation.problem is not null
  limit 1
) as blocked on true
where run.status = 'waiting';
