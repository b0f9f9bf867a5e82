-- What each role may do beyond reading the tables: the one list that make_roles grants and
-- `dagster-pgflow doctor` asks for.
create function pgflow.role_rights() returns table (role text, privileges text, kind text, name text)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
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
    ('worker', 'update (handed_over_at, refused_at, refused_reason, needs_queue)', 'table', 'run_requests'),
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

comment on function pgflow.role_rights() is
  'What reader, starter, answerer, author and worker may do, one row a table or function';
