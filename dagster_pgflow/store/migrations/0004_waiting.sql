-- old code: works

set local check_function_bodies to off;

CREATE OR REPLACE FUNCTION pgflow.note_ended_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update pgflow.run_requests as request
  set ended_at = clock_timestamp()
  where request.run_id = new.run_id and request.ended_at is null;
  perform pg_notify('pgflow_runs_ended', new.run_id::text);
  -- There may be room for one that waits: whoever takes requests shall look.
  if exists (
    select
    from pgflow.flows as flow
    where flow.flow_slug = new.flow_slug
      and (flow.opt_max_concurrent_runs, flow.opt_max_concurrent_runs_per_key) is distinct from (null, null)
  ) and exists (
    select
    from pgflow.run_requests as request
    where request.flow_slug = new.flow_slug
      and request.handed_over_at is null
      and request.refused_at is null
      and request.ended_at is null
  ) then
    perform pg_notify('pgflow_runs', new.run_id::text);
  end if;
  return null;
end
$$;

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
      ('child_trace'), ('cron_comes_some_day'), ('flow_definition'), ('get_run_counter'),
      ('is_run_complete'), ('is_valid_slug'), ('json_field'), ('json_problem'), ('newest_version'),
      ('problem_code'), ('problem_codes'),
      ('run_path'), ('schedule_definitions'), ('seen_tenants'), ('step_definitions'),
      ('wait_for')
  ) as reading (name)
  union all
  values
    ('starter', 'execute', 'function', 'start_flow'),
    ('author', 'execute', 'function', 'create_flow'),
    ('author', 'execute', 'function', 'add_step'),
    ('author', 'execute', 'function', 'define_step'),
    ('author', 'execute', 'function', 'replace_flow'),
    ('author', 'execute', 'function', 'publish_flow'),
    ('author', 'execute', 'function', 'delete_flow'),
    ('author', 'execute', 'function', 'describe_sessions'),
    ('author', 'insert, update, delete', 'table', 'flows'),
    ('author', 'insert, update, delete', 'table', 'steps'),
    ('author', 'insert, update, delete', 'table', 'deps'),
    ('author', 'insert, update, delete', 'table', 'schedules'),
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
    ('worker', 'update (allowed_tags)', 'table', 'store'),
    ('worker', 'update (handed_over_at, refused_at, refused_reason, needs_queue)', 'table', 'run_requests'),
    ('worker', 'update (concurrency_key, awaits_key, turn)', 'table', 'run_requests'),
    ('worker', 'insert, update, delete', 'table', 'live_workers'),
    ('worker', 'insert, update, delete', 'table', 'live_runs'),
    ('worker', 'insert, update', 'table', 'runs'),
    ('worker', 'insert, update', 'table', 'run_statistics'),
    ('worker', 'insert, update', 'table', 'step_outputs'),
    ('worker', 'insert, update', 'table', 'projection_cursors'),
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

CREATE FUNCTION pgflow.wait_for(run_id uuid, timeout interval DEFAULT '00:01:00'::interval) RETURNS pgflow.runs
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  run pgflow.runs;
  ends_at constant timestamptz := clock_timestamp()
    + least(coalesce(wait_for.timeout, interval '1 minute'), interval '30 days');
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'A transaction that is % never sees the end of a run; call wait_for in one that is read committed.',
      current_setting('transaction_isolation')
      using errcode = 'invalid_transaction_state';
  end if;
  loop
    select existing.* into run
    from pgflow.runs as existing
    where existing.run_id = wait_for.run_id;
    if not found then
      raise exception 'There is no run %.', coalesce(wait_for.run_id::text, 'without an id')
        using errcode = 'no_data_found';
    end if;
    if run.status in ('completed', 'failed', 'cancelled') or clock_timestamp() >= ends_at then
      return run;
    end if;
    -- What began with this very transaction is its own, in whichever of its savepoints.
    if
      run.created_at = transaction_timestamp()
      and run.status = 'queued'
      and pg_current_xact_id_if_assigned() is not null
    then
      raise exception 'Run % was asked for in this transaction, and nobody sees that before it is committed; commit, then call wait_for.',
        run.run_id
        using errcode = 'invalid_transaction_state';
    end if;
    perform pg_sleep(0.02);
  end loop;
end
$$;

COMMENT ON FUNCTION pgflow.wait_for(run_id uuid, timeout interval) IS 'Waits until a run is over, or the timeout, and returns its row as it is then';

CREATE INDEX run_requests_in_line_by_flow ON pgflow.run_requests USING btree (flow_slug) WHERE ((handed_over_at IS NULL) AND (refused_at IS NULL) AND (ended_at IS NULL));

REVOKE ALL ON FUNCTION pgflow.wait_for(run_id uuid, timeout interval) FROM PUBLIC;
