-- What live workers leave behind in the store: who is there, which runs they have, and which requests
-- only Dagster's queue may start.
-- old code: works

set local check_function_bodies to off;

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
      ('run_path'), ('schedule_definitions'), ('seen_tenants'), ('step_definitions')
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
    ('worker', 'update (allowed_tags)', 'table', 'store'),
    ('worker', 'update (handed_over_at, refused_at, refused_reason, needs_queue)', 'table', 'run_requests'),
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

CREATE TABLE pgflow.live_runs (
    dagster_run_id uuid NOT NULL,
    code_location text NOT NULL,
    worker_id uuid,
    tries integer DEFAULT 0 NOT NULL,
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    seen_at timestamp with time zone,
    cancel_asked_at timestamp with time zone,
    CONSTRAINT what_a_worker_has_was_seen CHECK (((worker_id IS NULL) OR (seen_at IS NOT NULL)))
);

COMMENT ON TABLE pgflow.live_runs IS 'The runs that live workers have, or shall take; one that has ended has no row';

COMMENT ON COLUMN pgflow.live_runs.worker_id IS 'The live worker that has it; null while it waits for one';

COMMENT ON COLUMN pgflow.live_runs.tries IS 'How often a worker has taken it';

COMMENT ON COLUMN pgflow.live_runs.asked_at IS 'When it was asked for, or claimed';

COMMENT ON COLUMN pgflow.live_runs.seen_at IS 'When its process last said that it is at work; it says so every second';

COMMENT ON COLUMN pgflow.live_runs.cancel_asked_at IS 'When somebody asked for its end';

CREATE TABLE pgflow.live_workers (
    worker_id uuid NOT NULL,
    code_location text NOT NULL,
    host text NOT NULL,
    process_id integer NOT NULL,
    concurrency integer NOT NULL,
    version text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE pgflow.live_workers IS 'The live workers of this store; one that has ended has no row';

COMMENT ON COLUMN pgflow.live_workers.code_location IS 'The code location that it executes runs of, by Dagster''s name';

COMMENT ON COLUMN pgflow.live_workers.concurrency IS 'How many runs it executes at the same time';

COMMENT ON COLUMN pgflow.live_workers.seen_at IS 'When it last said that it is there; it says so every few seconds';

alter table pgflow.run_requests add column needs_queue boolean DEFAULT false NOT NULL;

COMMENT ON COLUMN pgflow.run_requests.needs_queue IS 'Whether only Dagster''s queue may start it, since a limit of the deployment holds for its run';

ALTER TABLE ONLY pgflow.live_runs
    ADD CONSTRAINT live_runs_pkey PRIMARY KEY (dagster_run_id);

ALTER TABLE ONLY pgflow.live_workers
    ADD CONSTRAINT live_workers_pkey PRIMARY KEY (worker_id);

CREATE INDEX live_runs_that_wait ON pgflow.live_runs USING btree (code_location, asked_at) WHERE (worker_id IS NULL);

CREATE POLICY only_who_sees_all ON pgflow.live_runs USING (('*'::text = ANY (( SELECT pgflow.seen_tenants() AS seen_tenants)::text[])));

CREATE POLICY only_who_sees_all ON pgflow.live_workers USING (('*'::text = ANY (( SELECT pgflow.seen_tenants() AS seen_tenants)::text[])));
