-- old code: works

set local check_function_bodies to off;

drop function pgflow.runs_to_go_on(interval, uuid, boolean);

drop function pgflow.hand_over(uuid[]);

drop function pgflow.claim_continuation(interval, boolean, timestamp with time zone);

CREATE FUNCTION pgflow.claim_continuation(lease interval DEFAULT '00:01:00'::interval, in_queue boolean DEFAULT true, only_before timestamp with time zone DEFAULT NULL::timestamp with time zone, own_log text DEFAULT NULL::text) RETURNS TABLE(run_id uuid, number integer, kind text, flow_slug text, dagster_run_id uuid)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  candidate uuid;
  claimed pgflow.run_continuations;
begin
  perform pgflow.match_signals();
  for candidate in
    select ready.run_id
    from pgflow.runs_to_go_on(lease, null, in_queue, own_log) as ready
    where only_before is null
      or ready.since < only_before
      or exists (
        select
        from pgflow.run_continuations as queued
        where queued.run_id = ready.run_id and queued.ended_at is null and queued.needs_queue
      )
  loop
    continue when not pg_try_advisory_xact_lock(pgflow.lock_of_continuations(candidate));
    -- Another one may have had it since, and be done: it is looked at anew.
    continue when not exists (
      select from pgflow.runs_to_go_on(lease, candidate, in_queue, own_log)
    );
    update pgflow.run_continuations as again
    set claimed_at = clock_timestamp()
    where again.run_id = candidate and again.ended_at is null
    returning again.* into claimed;
    if not found then
      insert into pgflow.run_continuations as first (run_id, number, kind, claimed_at)
      select candidate, 1 + coalesce(max(before.number), 0), 'resume', clock_timestamp()
      from pgflow.run_continuations as before
      where before.run_id = candidate
      returning first.* into claimed;
    end if;
    return query
    select
      run.run_id,
      claimed.number,
      claimed.kind,
      run.flow_slug,
      coalesce(
        (
          select before.dagster_run_id
          from pgflow.run_continuations as before
          where before.run_id = run.run_id
            and before.number < claimed.number
            and before.dagster_run_id is not null
          order by before.number desc
          limit 1
        ),
        run.dagster_run_id
      )
    from pgflow.runs as run
    where run.run_id = candidate;
    return;
  end loop;
end
$$;

COMMENT ON FUNCTION pgflow.claim_continuation(lease interval, in_queue boolean, only_before timestamp with time zone, own_log text) IS 'Takes the run that is to go on next, until the end of the transaction for this session alone; one that was taken and has not gone on is taken again after the lease, under the same number. Those for the queue can be left out, and so can others that are ready only since a moment; those that another Dagster has than the given one are';

CREATE FUNCTION pgflow.hand_over(run_ids uuid[], own_log text DEFAULT NULL::text) RETURNS SETOF uuid
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  others constant text[] := pgflow.other_logs(own_log);
  offered record;
  taken record;
begin
  for offered in
    select given.run_id from unnest(run_ids) with ordinality as given (run_id, place) order by place
  loop
    select request.handed_over_at, request.handed_over_to
    into taken
    from pgflow.run_requests as request
    where request.run_id = offered.run_id
      and request.refused_at is null
      and request.ended_at is null
    for update skip locked;
    continue when not found or taken.handed_over_to = any (others);
    -- A statement of its own sees what a live worker has committed until the row was locked.
    perform
    from pgflow.runs as run
    where run.run_id = offered.run_id and run.dagster_run_id is not null;
    continue when found;
    if taken.handed_over_at is null then
      select attempt.* into taken from pgflow.take_request(offered.run_id) as attempt;
      continue when not taken.is_taken;
    end if;
    -- Each time in another order: Dagster 1.13 launches in the order of a tick, and one that fails
    -- ends the tick.
    update pgflow.run_requests as request
    set handed_over_to = own_log, handed_over_at = statement_timestamp()
      + interval '1 microsecond'
      * get_byte(
        decode(md5(request.run_id::text || coalesce(request.handed_over_at::text, '')), 'hex'), 0
      )
    where request.run_id = offered.run_id;
    return next offered.run_id;
  end loop;
end
$$;

COMMENT ON FUNCTION pgflow.hand_over(run_ids uuid[], own_log text) IS 'Notes that requests are given to a Dagster, and returns those that may be: not over, within the limits, and with no other';

CREATE FUNCTION pgflow.other_logs(own_log text) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(array_agg(other.log), '{}')
  from pgflow.dagster_logs as other
  where other.log <> own_log and other.seen_at > clock_timestamp() - interval '1 hour'
$$;

COMMENT ON FUNCTION pgflow.other_logs(own_log text) IS 'The Dagsters that are there beside one; what they have under way is left to them';

CREATE OR REPLACE FUNCTION pgflow.role_rights() RETURNS TABLE(role text, privileges text, kind text, name text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select duty.role, 'select', 'table', relation.relname
  from (values ('reader'), ('starter'), ('answerer'), ('author'), ('worker')) as duty (role)
  cross join pg_class as relation
  where relation.relnamespace = 'pgflow'::regnamespace
    and relation.relkind in ('r', 'p', 'v')
    and relation.relname <> 'tenants'
  union all
  select duty.role, 'execute', 'function', reading.name
  from (values ('reader'), ('starter'), ('answerer'), ('author'), ('worker')) as duty (role)
  cross join (
    values
      ('are_asset_keys'), ('can_be_asset_key'), ('can_be_partition'),
      ('child_trace'), ('closes_circle'), ('cron_comes_some_day'), ('flow_definition'),
      ('flows_led_to'), ('get_run_counter'),
      ('is_run_complete'), ('is_valid_slug'), ('is_webhook'), ('json_field'), ('json_problem'),
      ('newest_version'),
      ('problem_code'), ('problem_codes'),
      ('run_path'), ('schedule_definitions'), ('seen_tenants'), ('step_definitions'),
      ('wait_for')
  ) as reading (name)
  union all
  values
    ('starter', 'execute', 'function', 'start_flow'),
    ('answerer', 'execute', 'function', 'answer'),
    ('answerer', 'execute', 'function', 'signal'),
    ('author', 'execute', 'function', 'create_flow'),
    ('author', 'execute', 'function', 'add_step'),
    ('author', 'execute', 'function', 'set_step'),
    ('author', 'execute', 'function', 'define_step'),
    ('author', 'execute', 'function', 'replace_flow'),
    ('author', 'execute', 'function', 'publish_flow'),
    ('author', 'execute', 'function', 'delete_flow'),
    ('author', 'execute', 'function', 'prune'),
    ('author', 'execute', 'function', 'create_trigger'),
    ('author', 'execute', 'function', 'delete_trigger'),
    ('author', 'execute', 'function', 'enable_trigger'),
    ('author', 'execute', 'function', 'describe_sessions'),
    ('author', 'execute', 'function', 'reset_circuit_breaker'),
    ('author', 'update', 'table', 'circuit_breakers'),
    ('author', 'insert, update, delete', 'table', 'flows'),
    ('author', 'insert, update, delete', 'table', 'steps'),
    ('author', 'insert, update, delete', 'table', 'deps'),
    ('author', 'insert, update, delete', 'table', 'schedules'),
    ('author', 'insert, update, delete', 'table', 'triggers'),
    ('author', 'insert, update, delete', 'table', 'workflows'),
    ('author', 'insert, update, delete', 'table', 'workflow_steps'),
    ('author', 'insert, update, delete', 'table', 'workflow_step_dependencies_def'),
    ('worker', 'execute', 'function', 'refuse_run'),
    ('worker', 'execute', 'function', 'claim_request'),
    ('worker', 'execute', 'function', 'hand_over'),
    ('worker', 'execute', 'function', 'last_place_of'),
    ('worker', 'execute', 'function', 'next_group'),
    ('worker', 'execute', 'function', 'next_priority'),
    ('worker', 'execute', 'function', 'next_requests'),
    ('worker', 'execute', 'function', 'next_tenant'),
    ('worker', 'execute', 'function', 'room_for'),
    ('worker', 'execute', 'function', 'take_request'),
    ('worker', 'execute', 'function', 'answer'),
    ('worker', 'execute', 'function', 'answer_problem'),
    ('worker', 'execute', 'function', 'cancel_waiting_run'),
    ('worker', 'execute', 'function', 'claim_continuation'),
    ('worker', 'execute', 'function', 'close_wait'),
    ('worker', 'execute', 'function', 'deliver_signal'),
    ('worker', 'execute', 'function', 'end_continuation'),
    ('worker', 'execute', 'function', 'recover_run'),
    ('worker', 'execute', 'function', 'is_of_json_type'),
    ('worker', 'execute', 'function', 'lock_of_continuations'),
    ('worker', 'execute', 'function', 'lock_signals'),
    ('worker', 'execute', 'function', 'match_signals'),
    ('worker', 'execute', 'function', 'open_wait'),
    ('worker', 'execute', 'function', 'referred_schema'),
    ('worker', 'execute', 'function', 'runs_to_go_on'),
    ('worker', 'execute', 'function', 'other_logs'),
    ('worker', 'execute', 'function', 'schema_problem'),
    ('worker', 'execute', 'function', 'schema_rules_within'),
    ('worker', 'execute', 'function', 'schema_verdict'),
    ('worker', 'execute', 'function', 'signal'),
    ('worker', 'execute', 'function', 'sweep_signals'),
    ('worker', 'execute', 'function', 'take_signal'),
    ('worker', 'execute', 'function', 'claim_deliveries'),
    ('worker', 'execute', 'function', 'note_delivery'),
    ('worker', 'execute', 'function', 'call_lease'),
    ('worker', 'execute', 'function', 'enter_call'),
    ('worker', 'execute', 'function', 'guard_fields'),
    ('worker', 'execute', 'function', 'keep_call'),
    ('worker', 'execute', 'function', 'leave_call'),
    ('worker', 'execute', 'function', 'note_outcome'),
    ('worker', 'execute', 'function', 'pass_circuit_breaker'),
    ('worker', 'execute', 'function', 'refused_by'),
    ('worker', 'execute', 'function', 'reset_circuit_breaker'),
    ('worker', 'execute', 'function', 'take_slot'),
    ('worker', 'execute', 'function', 'take_turn'),
    ('worker', 'execute', 'function', 'as_utc'),
    ('worker', 'execute', 'function', 'event_of'),
    ('worker', 'execute', 'function', 'fire_trigger'),
    ('worker', 'execute', 'function', 'note_asset_events'),
    ('worker', 'execute', 'function', 'next_reminder'),
    ('worker', 'execute', 'function', 'note_reminders'),
    ('worker', 'execute', 'function', 'queue_wait'),
    ('worker', 'insert, update', 'table', 'asset_cursors'),
    ('worker', 'update (outcome, reason, decided_at)', 'table', 'trigger_outcomes'),
    ('worker', 'update (allowed_tags)', 'table', 'store'),
    ('worker', 'update (handed_over_at, handed_over_to, refused_at, refused_reason, needs_queue)', 'table', 'run_requests'),
    ('worker', 'update (concurrency_key, awaits_key, turn)', 'table', 'run_requests'),
    ('worker', 'insert, update', 'table', 'bulkheads'),
    ('worker', 'insert, update', 'table', 'circuit_breakers'),
    ('worker', 'insert, update, delete', 'table', 'guarded_calls'),
    ('worker', 'insert, update', 'table', 'rate_limiters'),
    ('worker', 'insert, update, delete', 'table', 'live_workers'),
    ('worker', 'insert, update, delete', 'table', 'live_runs'),
    ('worker', 'insert, update', 'table', 'runs'),
    ('worker', 'insert, update', 'table', 'waits'),
    ('worker', 'insert, update, delete', 'table', 'signals'),
    ('worker', 'insert, update', 'table', 'run_continuations'),
    ('worker', 'insert, update', 'table', 'run_statistics'),
    ('worker', 'insert, update', 'table', 'step_outputs'),
    ('worker', 'insert, update', 'table', 'projection_cursors'),
    ('worker', 'insert, update', 'table', 'dagster_logs'),
    ('worker', 'update', 'table', 'webhook_deliveries'),
    ('worker', 'insert, delete', 'table', 'event_log'),
    ('worker', 'insert, delete', 'table', 'applied_keys'),
    ('worker', 'insert, update, delete', 'table', 'run_cursors'),
    ('worker', 'insert, update, delete', 'table', 'subruns'),
    ('worker', 'insert, update, delete', 'table', 'step_states'),
    ('worker', 'insert, update, delete', 'table', 'step_tasks'),
    ('worker', 'insert, update, delete', 'table', 'node_executions'),
    ('worker', 'insert, update, delete', 'table', 'run_counter_snapshots'),
    ('worker', 'insert, update, delete', 'table', 'pending_tokens'),
    ('worker', 'insert, update, delete', 'table', 'loop_state'),
    ('worker', 'insert, update, delete', 'table', 'worker_registry')
$$;

CREATE FUNCTION pgflow.runs_to_go_on(lease interval, wanted uuid DEFAULT NULL::uuid, in_queue boolean DEFAULT NULL::boolean, own_log text DEFAULT NULL::text) RETURNS TABLE(run_id uuid, since timestamp with time zone)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  moment constant timestamptz := clock_timestamp();
  others constant text[] := pgflow.other_logs(own_log);
begin
  return query
  select ready.run_id, min(ready.since) as since
  from (
    select continuation.run_id, continuation.created_at as since
    from pgflow.run_continuations as continuation
    where continuation.ended_at is null
    union all
    select wait.run_id, wait.closed_at
    from pgflow.waits as wait
    where wait.status <> 'open' and wait.taken_at is null
    union all
    select wait.run_id, wait.due_at
    from pgflow.waits as wait
    where wait.status = 'open' and wait.due_at <= moment
  ) as ready
  where (wanted is null or ready.run_id = wanted)
    and exists (
      select from pgflow.runs as run where run.run_id = ready.run_id and run.status = 'waiting'
    )
    and (
      others = '{}'
      or not exists (
        select
        from pgflow.runs as run
        join pgflow.run_cursors as known on known.dagster_run_id = run.dagster_run_id
        where run.run_id = ready.run_id and known.log = any (others)
      )
    )
    and not exists (
      select
      from pgflow.run_continuations as under_way
      where under_way.run_id = ready.run_id
        and under_way.ended_at is null
        and (
          under_way.claimed_at > moment - lease
          or under_way.not_before > moment
          or (under_way.needs_queue and not in_queue)
        )
    )
  group by ready.run_id
  order by since, ready.run_id;
end
$$;

COMMENT ON FUNCTION pgflow.runs_to_go_on(lease interval, wanted uuid, in_queue boolean, own_log text) IS 'The runs that wait and can go on, and since when, the oldest first; with an id, whether that one can; without those for the queue, if asked, and without those that another Dagster has than the given one';

CREATE TABLE pgflow.dagster_logs (
    log text NOT NULL,
    seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE pgflow.dagster_logs IS 'The Dagsters that work with this store, each by the id that its run storage has';

COMMENT ON COLUMN pgflow.dagster_logs.seen_at IS 'When it last looked for runs or began one, give or take a minute';

alter table pgflow.run_cursors add column log text;

COMMENT ON COLUMN pgflow.run_cursors.log IS 'Which Dagster has the run, as in dagster_logs; null where nobody has said it';

alter table pgflow.run_requests add column handed_over_to text;

COMMENT ON COLUMN pgflow.run_requests.handed_over_to IS 'Which Dagster it was last given to, as in dagster_logs; null where nobody has said it';

ALTER TABLE ONLY pgflow.dagster_logs
    ADD CONSTRAINT dagster_logs_pkey PRIMARY KEY (log);

CREATE POLICY only_who_sees_all ON pgflow.dagster_logs USING (('*'::text = ANY (( SELECT pgflow.seen_tenants() AS seen_tenants)::text[])));

REVOKE ALL ON FUNCTION pgflow.claim_continuation(lease interval, in_queue boolean, only_before timestamp with time zone, own_log text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.hand_over(run_ids uuid[], own_log text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.other_logs(own_log text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.runs_to_go_on(lease interval, wanted uuid, in_queue boolean, own_log text) FROM PUBLIC;
