-- old code: works

set local check_function_bodies to off;

CREATE FUNCTION pgflow.event_text(run_id uuid, flow_slug text, step_path text, status text, at timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select json_strip_nulls(json_build_object(
    'run', run_id,
    'flow', left(flow_slug, 128),
    'step', case when length(step_path) > 1000 then left(step_path, 997) || '...' else step_path end,
    'status', left(status, 16),
    'at', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  ))::text
$$;

COMMENT ON FUNCTION pgflow.event_text(run_id uuid, flow_slug text, step_path text, status text, at timestamp with time zone) IS 'What is notified of a run, or with a path of a step: no data, and never too long';

CREATE FUNCTION pgflow.events_are_told() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  -- A queue that is full, since a listener sleeps within a transaction, would fail whoever commits.
  select pg_notification_queue_usage() < 0.5 and coalesce(
    store.tells_events,
    not (select runs.relrowsecurity from pg_class as runs where runs.oid = 'pgflow.runs'::regclass)
  )
  from pgflow.store as store
$$;

COMMENT ON FUNCTION pgflow.events_are_told() IS 'Whether changes of runs and steps are notified at this moment; tell_events() says whether they shall be';

CREATE FUNCTION pgflow.tell_events(told boolean DEFAULT true) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update pgflow.store set tells_events = told
$$;

COMMENT ON FUNCTION pgflow.tell_events(told boolean) IS 'Whether changes of runs and steps are notified on pgflow_events; null is as long as no tenants are isolated';

CREATE FUNCTION pgflow.tell_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if (tg_op = 'INSERT' or new.status <> old.status) and pgflow.events_are_told() then
    perform pg_notify(
      'pgflow_events',
      pgflow.event_text(new.run_id, new.flow_slug, null, new.status, new.updated_at)
    );
  end if;
  return null;
end
$$;

COMMENT ON FUNCTION pgflow.tell_run() IS 'Notifies on pgflow_events that a run has another status';

CREATE FUNCTION pgflow.tell_steps() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  news text[];
begin
  if not exists (select from written) or not pgflow.events_are_told() then
    return null;
  end if;
  if tg_op = 'INSERT' then
    news := array(
      select pgflow.event_text(step.run_id, step.flow_slug, step.step_path, step.status, step.at)
      from (
        select
          written.*,
          greatest(
            written.created_at, written.started_at, written.completed_at, written.failed_at,
            written.skipped_at, written.waiting_since
          ) as at
        from written
        where written.status <> 'created'
      ) as step
      order by step.at, step.step_path
    );
  else
    news := array(
      select pgflow.event_text(step.run_id, step.flow_slug, step.step_path, step.status, step.at)
      from (
        select
          written.*,
          greatest(
            written.created_at, written.started_at, written.completed_at, written.failed_at,
            written.skipped_at, written.waiting_since
          ) as at
        from written
        join replaced using (run_id, step_path)
        where written.status <> replaced.status
      ) as step
      order by step.at, step.step_path
    );
  end if;
  perform pg_notify('pgflow_events', told.event)
  from unnest(news) as told (event);
  return null;
end
$$;

COMMENT ON FUNCTION pgflow.tell_steps() IS 'Notifies on pgflow_events which steps have another status; that they begin as created goes without saying';

alter table pgflow.store add column tells_events boolean;

COMMENT ON COLUMN pgflow.store.tells_events IS 'Whether changes of runs and steps are notified on pgflow_events; null is as long as no tenants are isolated';

CREATE TRIGGER run_changed AFTER INSERT OR UPDATE OF status ON pgflow.runs FOR EACH ROW WHEN ((new.status = ANY (ARRAY['queued'::text, 'started'::text]))) EXECUTE FUNCTION pgflow.tell_run();

CREATE CONSTRAINT TRIGGER run_rests_or_ends AFTER INSERT OR UPDATE OF status ON pgflow.runs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.status <> ALL (ARRAY['queued'::text, 'started'::text]))) EXECUTE FUNCTION pgflow.tell_run();

CREATE TRIGGER steps_inserted AFTER INSERT ON pgflow.step_states REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION pgflow.tell_steps();

CREATE TRIGGER steps_updated AFTER UPDATE ON pgflow.step_states REFERENCING OLD TABLE AS replaced NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION pgflow.tell_steps();

REVOKE ALL ON FUNCTION pgflow.event_text(run_id uuid, flow_slug text, step_path text, status text, at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.events_are_told() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.tell_events(told boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.tell_run() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.tell_steps() FROM PUBLIC;
