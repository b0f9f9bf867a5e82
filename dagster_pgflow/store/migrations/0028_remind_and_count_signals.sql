-- old code: works

set local check_function_bodies to off;

drop function pgflow.signal(text, text, jsonb, interval, boolean);

drop function pgflow.delete_runs_of(text);

alter table pgflow.waits add column reminder_at timestamp with time zone;

COMMENT ON COLUMN pgflow.waits.reminder_at IS 'When the next reminder is due; null when there is none left';

CREATE FUNCTION pgflow.as_utc(moment timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

COMMENT ON FUNCTION pgflow.as_utc(moment timestamp with time zone) IS 'A time as JSON has it: 2026-01-31T12:00:00.000000Z';

alter table pgflow.triggers drop constraint on_event_is_valid;

alter table pgflow.triggers drop constraint only_events_of_runs_have_a_source_flow;

alter table pgflow.triggers add constraint on_event_is_valid CHECK ((on_event = ANY (ARRAY['run.completed'::text, 'run.failed'::text, 'run.cancelled'::text, 'step.waiting'::text, 'step.reminder'::text, 'asset.materialized'::text, 'signal'::text])));

alter table pgflow.triggers add constraint only_events_of_runs_have_a_source_flow CHECK (((source_flow IS NULL) OR (on_event = ANY (ARRAY['run.completed'::text, 'run.failed'::text, 'run.cancelled'::text, 'step.waiting'::text, 'step.reminder'::text]))));

COMMENT ON TABLE pgflow.triggers IS 'What starts flows: the ends of runs, steps that wait, assets and signals';

CREATE OR REPLACE FUNCTION pgflow.closes_circle(closing pgflow.triggers) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select closing.enabled
    and closing.condition is null
    and closing.on_event not in ('asset.materialized', 'signal')
    and exists (
      select
      from pgflow.flows_led_to(closing.target_flow) as led_to (flow_slug)
      where coalesce(
        led_to.flow_slug = closing.source_flow, led_to.flow_slug <> closing.target_flow
      )
    )
$$;

CREATE OR REPLACE FUNCTION pgflow.delete_flow(flow_slug text, force boolean DEFAULT false, with_runs boolean DEFAULT false) RETURNS pgflow.flows
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  flow pgflow.flows;
  users text;
  runs_under_way bigint;
begin
  perform pgflow.refuse_foreign_flow(delete_flow.flow_slug);
  perform pgflow.lock_flow(delete_flow.flow_slug);
  select existing.* into flow
  from pgflow.flows as existing
  where existing.flow_slug = delete_flow.flow_slug
  for update;
  if not found then
    perform pgflow.refuse_unknown_flow(delete_flow.flow_slug);
  end if;

  select string_agg(distinct format('"%s"', step.flow_slug), ', ') into users
  from pgflow.steps as step
  where step.subflow_slug = flow.flow_slug and step.flow_slug <> flow.flow_slug;
  select count(*) into runs_under_way
  from pgflow.runs as run
  where run.flow_slug = flow.flow_slug and run.status in ('queued', 'started', 'waiting');

  if not coalesce(delete_flow.force, false) then
    if users is not null then
      raise exception 'Flow "%" is a subflow of %; remove those steps first, or delete with force => true.',
        flow.flow_slug, users
        using errcode = 'dependent_objects_still_exist';
    elsif runs_under_way > 0 then
      raise exception 'Flow "%" has % under way; wait for the end, or delete with force => true.',
        flow.flow_slug, case runs_under_way when 1 then '1 run' else runs_under_way || ' runs' end
        using errcode = 'object_in_use';
    end if;
    perform pgflow.refuse_to_lose_triggers(flow.flow_slug);
  end if;

  perform pgflow.refuse_run(
    run.run_id, format('Flow "%s" was deleted before this run began.', flow.flow_slug)
  )
  from pgflow.runs as run
  where run.flow_slug = flow.flow_slug
    and run.status = 'queued'
    and run.dagster_run_id is null;
  if coalesce(delete_flow.with_runs, false) then
    perform pgflow.delete_runs(array(
      select run.run_id from pgflow.runs as run where run.flow_slug = flow.flow_slug
    ));
  end if;
  delete from pgflow.flows as doomed where doomed.flow_slug = flow.flow_slug;
  return flow;
end
$$;

CREATE FUNCTION pgflow.delete_runs(run_ids uuid[]) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with deleted as (
    delete from pgflow.runs as run
    where run.run_id = any (delete_runs.run_ids)
      and run.status in ('completed', 'failed', 'cancelled')
    returning run.id, run.run_id, run.dagster_run_id
  ),
  events as (
    delete from pgflow.event_log as event
    using deleted
    where event.run_id = deleted.run_id
  ),
  -- With what triggers made of them.
  trigger_events as (
    delete from pgflow.trigger_events as event
    using deleted
    where event.run_id = deleted.run_id
  ),
  -- What is still to be told goes where the run's version of the flow said.
  deliveries as (
    delete from pgflow.webhook_deliveries as delivery
    using deleted
    where delivery.run_id = deleted.run_id and delivery.status <> 'pending'
  ),
  requests as (
    delete from pgflow.run_requests as request
    using deleted
    where request.run_id = deleted.run_id
  ),
  waits as (
    delete from pgflow.waits as wait
    using deleted
    where wait.run_id = deleted.run_id
  ),
  continuations as (
    delete from pgflow.run_continuations as continuation
    using deleted
    where continuation.run_id = deleted.run_id
    returning continuation.dagster_run_id
  ),
  -- Subflow steps of mode run have runs of their own in Dagster, and so may iterations of loops.
  dagster_runs as (
    select deleted.dagster_run_id from deleted
    union
    select continuations.dagster_run_id from continuations
    union
    select subrun.dagster_run_id
    from deleted
    join pgflow.subruns as subrun on subrun.parent_run_id = deleted.id
    union
    select (event.event_data ->> 'dagster_run_id')::uuid
    from deleted
    join pgflow.event_log as event using (run_id)
    where event.event_type = 'loop.iteration_started'
  ),
  outputs as (
    delete from pgflow.step_outputs as output
    using dagster_runs
    where output.dagster_run_id = dagster_runs.dagster_run_id
  ),
  -- The cursors stay: without them the sensors would find the runs anew. A sensor that is reading
  -- one of them now sees by the number of looks that it is late.
  cursors as (
    update pgflow.run_cursors as run_cursor
    set is_final = true, looks = run_cursor.looks + 1
    from (
      select deleted.dagster_run_id from deleted
      union all
      select continuations.dagster_run_id from continuations
    ) as gone
    where run_cursor.dagster_run_id = gone.dagster_run_id
  )
  select count(*) from deleted
$$;

COMMENT ON FUNCTION pgflow.delete_runs(run_ids uuid[]) IS 'Deletes what is known of those of these runs that are over, and returns how many they were';

alter table pgflow.signals add column sent_from uuid;

COMMENT ON COLUMN pgflow.signals.sent_from IS 'The run whose handler sent it, as far as that is known';

CREATE OR REPLACE FUNCTION pgflow.event_of(event_id bigint) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(
    event.content,
    jsonb_build_object(
      'type', event.type,
      'run_id', run.run_id,
      'flow', run.flow_slug,
      'status', substr(event.type, 5),
      'input', run.input,
      'output', run.output,
      'error', run.error_message,
      'started_at', pgflow.as_utc(run.started_at),
      'ended_at', pgflow.as_utc(event.happened_at)
    )
  )
  from pgflow.trigger_events as event
  left join pgflow.runs as run on run.run_id = event.run_id
  where event.event_id = event_of.event_id and (event.content is not null or run.id is not null)
$$;

CREATE OR REPLACE FUNCTION pgflow.event_text(run_id uuid, flow_slug text, step_path text, status text, at timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select json_strip_nulls(json_build_object(
    'run', run_id,
    'flow', left(flow_slug, 128),
    'step', case when length(step_path) > 1000 then left(step_path, 997) || '...' else step_path end,
    'status', left(status, 16),
    'at', pgflow.as_utc(at)
  ))::text
$$;

CREATE OR REPLACE FUNCTION pgflow.fire_trigger(trigger_id bigint, event_id bigint, input jsonb DEFAULT NULL::jsonb) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  most_depth constant integer := 100;
  waiting pgflow.trigger_outcomes;
  firing pgflow.triggers;
  event pgflow.trigger_events;
  run pgflow.runs;
  given jsonb;
  depth integer;
  verdict text := 'failed';
  why text;
begin
  select outcome.* into waiting
  from pgflow.trigger_outcomes as outcome
  where outcome.trigger_id = fire_trigger.trigger_id and outcome.event_id = fire_trigger.event_id
  for update;
  if waiting.outcome is distinct from 'pending' then
    return waiting.outcome;
  end if;
  select known.* into event
  from pgflow.trigger_events as known
  where known.event_id = waiting.event_id;
  select existing.* into firing
  from pgflow.triggers as existing
  where existing.trigger_id = waiting.trigger_id;
  perform pgflow.refuse_foreign_flow(firing.target_flow);
  given := coalesce(fire_trigger.input, pgflow.event_of(event.event_id));
  select coalesce(max(request.trigger_depth), 0) + 1 into depth
  from pgflow.run_requests as request
  where request.run_id = event.run_id;
  if firing.enabled is not true then
    verdict := 'dropped';
    why := format(
      'The trigger was %s before it looked at this event.',
      case when firing.trigger_id is null then 'deleted' else 'turned off' end
    );
  elsif given is null then
    why := format('Run %s was deleted before the trigger looked at its end.', event.run_id);
  elsif depth > most_depth then
    verdict := 'refused';
    why := format(
      'This would be run %s of a chain in which each run was started by a trigger on the one before; a chain ends after %s.',
      depth, most_depth
    );
  else
    begin
      run := pgflow.start_flow(
        firing.target_flow,
        given,
        pgflow.run_of_trigger(waiting.trigger_id, event.type, event.source)
      );
      update pgflow.run_requests as request
      set trigger_depth = depth, triggered_by = firing.name
      where request.run_id = run.run_id;
      verdict := 'fired';
    exception
      when others then
        -- What passes says nothing of the trigger: it is tried again.
        if left(sqlstate, 2) in ('08', '25', '40', '53', '55', '57', '58', 'XX') then
          raise;
        end if;
        run := null;
        why := sqlerrm;
    end;
  end if;
  update pgflow.trigger_outcomes as outcome
  set outcome = verdict, run_id = run.run_id, reason = why, decided_at = clock_timestamp()
  where outcome.trigger_id = waiting.trigger_id and outcome.event_id = waiting.event_id;
  return verdict;
end
$$;

CREATE OR REPLACE FUNCTION pgflow.flows_led_to(flow_slug text) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with recursive led_to (flow_slug) as (
    select flows_led_to.flow_slug
    union
    select edge.target_flow
    from led_to
    join pgflow.flows as source on source.flow_slug = led_to.flow_slug
    join pgflow.triggers as edge
      on edge.enabled
      and edge.condition is null
      and edge.on_event not in ('asset.materialized', 'signal')
      and coalesce(edge.source_flow = led_to.flow_slug, edge.target_flow <> led_to.flow_slug)
    join pgflow.flows as target
      on target.flow_slug = edge.target_flow
      and target.tags ->> 'tenant' is not distinct from source.tags ->> 'tenant'
  )
  select led_to.flow_slug from led_to
$$;

CREATE OR REPLACE FUNCTION pgflow.keep_one_row() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  there text;
begin
  if tg_table_name = 'store' then
    update pgflow.store
    set store_id = new.store_id,
      created_at = new.created_at,
      allowed_tags = new.allowed_tags,
      pruned_before = new.pruned_before;
  else
    select migration.checksum into there
    from pgflow.migrations as migration
    where migration.version = new.version;
    if there <> new.checksum then
      raise exception 'Migration % (%) of this data was another one than that of this schema; restore it into a schema that the same version of dagster_pgflow made.',
        new.version, new.name
        using errcode = 'object_not_in_prerequisite_state';
    end if;
  end if;
  return case when found then null else new end;
end
$$;

CREATE FUNCTION pgflow.next_reminder(opened_at timestamp with time zone, reminders integer[], moment timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select min(due.at)
  from unnest(reminders) as reminder (seconds)
  cross join lateral (select opened_at + make_interval(secs => reminder.seconds)) as due (at)
  where due.at > moment
$$;

COMMENT ON FUNCTION pgflow.next_reminder(opened_at timestamp with time zone, reminders integer[], moment timestamp with time zone) IS 'When a reminder is due the next time after a moment; null when that was the last';

CREATE FUNCTION pgflow.note_reminders(most integer DEFAULT 100) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  moment constant timestamptz := clock_timestamp();
  wait pgflow.waits;
  noted integer := 0;
begin
  for wait in
    select due.*
    from pgflow.waits as due
    where due.status = 'open' and due.reminder_at <= moment
    order by due.reminder_at, due.wait_id
    limit most
    for update skip locked
  loop
    update pgflow.waits as reminded
    set reminder_at = pgflow.next_reminder(wait.opened_at, wait.reminders, moment)
    where reminded.wait_id = wait.wait_id;
    noted := noted + 1;
    continue when wait.due_at <= moment or exists (
      select
      from pgflow.runs as run
      where run.run_id = wait.run_id and run.status in ('completed', 'failed', 'cancelled')
    );
    perform pgflow.queue_wait(wait, 'step.reminder', wait.reminder_at);
  end loop;
  return noted;
end
$$;

COMMENT ON FUNCTION pgflow.note_reminders(most integer) IS 'Queues reminders that are due for the triggers that they concern, several of one step as one; returns of how many steps';

CREATE OR REPLACE FUNCTION pgflow.note_signal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform pgflow.queue_triggers(
    'signal',
    new.signal_id::text,
    clock_timestamp(),
    new.name,
    new.tenants,
    new.sent_from,
    jsonb_build_object(
      'type', 'signal', 'name', new.name, 'key', new.key, 'payload', new.payload
    )
  );
  return null;
end
$$;

CREATE OR REPLACE FUNCTION pgflow.open_wait(run_id uuid, step_path text, kind text, flow_slug text, step_slug text, tenant text DEFAULT ''::text, prompt text DEFAULT ''::text, answer_schema jsonb DEFAULT NULL::jsonb, answerers text[] DEFAULT '{}'::text[], signal text DEFAULT NULL::text, key text DEFAULT NULL::text, seconds double precision DEFAULT NULL::double precision, until double precision DEFAULT NULL::double precision, reminders integer[] DEFAULT '{}'::integer[], dagster_run_id uuid DEFAULT NULL::uuid) RETURNS pgflow.waits
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- Who launches a run again from its page gives it the tags of that one, and no answer: it is
  -- another run.
  own_run constant uuid := case
    when exists (
      select
      from pgflow.runs as known
      where known.run_id = open_wait.run_id and known.dagster_run_id <> open_wait.dagster_run_id
    )
      then open_wait.dagster_run_id
    else open_wait.run_id
  end;
  own_key constant text := case
    when signal is not null then coalesce(key, own_run || '/' || step_path)
  end;
  opened constant timestamptz := clock_timestamp();
  wait pgflow.waits;
  is_new boolean;
begin
  if signal is not null then
    perform pgflow.lock_signals(signal, own_key);
    perform pgflow.sweep_signals();
  end if;
  insert into pgflow.waits (
    run_id, step_path, kind, flow_slug, step_slug, tenant, prompt, answer_schema, answerers,
    signal, key, opened_at, due_at, reminders, reminder_at
  )
  values (
    own_run, open_wait.step_path, open_wait.kind, open_wait.flow_slug, open_wait.step_slug,
    open_wait.tenant, open_wait.prompt, open_wait.answer_schema, open_wait.answerers,
    open_wait.signal, own_key, opened,
    -- In a year that everybody can read.
    least(
      opened + make_interval(secs => open_wait.seconds),
      case
        when open_wait.until is not null
          then to_timestamp(least(greatest(open_wait.until, -62135596800), 253402300799))
      end
    ),
    open_wait.reminders, pgflow.next_reminder(opened, open_wait.reminders, opened)
  )
  on conflict on constraint waits_run_id_step_path_key do nothing;
  is_new := found;
  select known.* into wait
  from pgflow.waits as known
  where known.run_id = own_run and known.step_path = open_wait.step_path
  for update;

  if wait.status = 'open' and exists (
    select from pgflow.runs as run
    where run.run_id = wait.run_id and run.status in ('completed', 'failed', 'cancelled')
  ) then
    wait := pgflow.close_wait(wait.wait_id, 'cancelled');
  end if;
  if wait.status = 'open' and wait.signal is not null then
    wait := pgflow.take_signal(wait);
  end if;
  if wait.status = 'open' and wait.due_at <= clock_timestamp() then
    wait := pgflow.close_wait(
      wait.wait_id, case wait.kind when 'sleep' then 'answered' else 'timed_out' end
    );
  end if;
  if wait.status <> 'open' and wait.taken_at is null then
    update pgflow.waits as told
    set taken_at = clock_timestamp()
    where told.wait_id = wait.wait_id
    returning told.* into wait;
  end if;
  if is_new and wait.status = 'open' and wait.kind <> 'sleep' then
    perform pgflow.queue_wait(wait, 'step.waiting', wait.opened_at);
  end if;
  return wait;
end
$$;

CREATE FUNCTION pgflow.prune(older_than interval, most integer DEFAULT 1000) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  ended_before constant timestamptz := now() - older_than;
  deleted bigint;
begin
  if ended_before is null or ended_before > now() - interval '1 day' then
    raise exception 'Runs are deleted that ended before %; what ended today may still be read, so write one day or more.',
      coalesce(older_than::text, 'null')
      using errcode = 'invalid_parameter_value';
  end if;
  perform pgflow.refuse_unless_all_is_seen('delete old runs');
  -- Dagster may still have these runs: what is read anew of them starts nothing again.
  update pgflow.store as store
  set pruned_before = ended_before
  where store.pruned_before is null or store.pruned_before < ended_before;
  deleted := pgflow.delete_runs(array(
    select run.run_id
    from pgflow.runs as run
    where run.status in ('completed', 'failed', 'cancelled')
      and coalesce(run.completed_at, run.failed_at, run.updated_at) < ended_before
    order by run.id
    limit prune.most
    for update skip locked
  ));
  delete from pgflow.trigger_events as event
  where event.event_id in (
    select old.event_id
    from pgflow.trigger_events as old
    where old.happened_at < ended_before
      and not exists (
        select
        from pgflow.trigger_outcomes as outcome
        where outcome.event_id = old.event_id and outcome.outcome = 'pending'
      )
    order by old.event_id
    limit prune.most
    for update skip locked
  );
  delete from pgflow.webhook_deliveries as delivery
  where delivery.delivery_id in (
    select old.delivery_id
    from pgflow.webhook_deliveries as old
    where old.ended_at < ended_before
      and not exists (select from pgflow.runs as run where run.run_id = old.run_id)
    limit prune.most
    for update skip locked
  );
  return deleted;
end
$$;

COMMENT ON FUNCTION pgflow.prune(older_than interval, most integer) IS 'Deletes runs that are over for so long, with all that is known of them, and old events of triggers; returns how many runs. Call it until that is 0';

CREATE OR REPLACE FUNCTION pgflow.queue_delivery() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  told constant text := 'run.' || new.status;
  delivery_id constant uuid := gen_random_uuid();
  webhook jsonb;
begin
  -- What happened too long ago to be sent is what a rebuild, or the first look at old runs, finds.
  if tg_op = 'UPDATE' and new.status = old.status
    or new.updated_at < clock_timestamp() - interval '1 day' then
    return null;
  end if;
  select version.definition #> '{options,on_event}' into webhook
  from pgflow.flow_versions as version
  where version.version_id = new.version_id;
  if webhook is null or not pgflow.is_webhook(webhook)
    or not coalesce(webhook -> 'events' ? told, true) then
    return null;
  end if;
  insert into pgflow.webhook_deliveries (
    delivery_id, run_id, flow_slug, event, happened_at, url, secret_name, allow_private, body
  )
  values (
    delivery_id, new.run_id, new.flow_slug, told, new.updated_at,
    webhook ->> 'url', webhook ->> 'secret',
    coalesce((webhook ->> 'allow_private')::boolean, false),
    json_build_object(
      'delivery', delivery_id,
      'event', told,
      'run', new.run_id,
      'flow', new.flow_slug,
      'version', new.flow_version,
      'status', new.status,
      'at', pgflow.as_utc(new.updated_at)
    )::text
  )
  on conflict do nothing;
  return null;
end
$$;

CREATE OR REPLACE FUNCTION pgflow.queue_triggers(event_type text, event_source text, happened_at timestamp with time zone, about text, tenants text[], run_id uuid, content jsonb) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  concerned bigint[];
  noted bigint;
  queued integer;
begin
  select array_agg(listening.trigger_id) into concerned
  from pgflow.triggers as listening
  join pgflow.flows as target on target.flow_slug = listening.target_flow
  where listening.enabled
    and listening.on_event = queue_triggers.event_type
    and listening.active_since <= queue_triggers.happened_at
    and queue_triggers.happened_at >= coalesce(
      (select store.pruned_before from pgflow.store as store), '-infinity'
    )
    and case listening.on_event
      when 'asset.materialized' then listening.asset_key = queue_triggers.about
      when 'signal' then
        listening.signal_name = queue_triggers.about
        and array[coalesce(target.tags ->> 'tenant', ''), '*'] && queue_triggers.tenants
      else
        coalesce(
          listening.source_flow = queue_triggers.about,
          listening.target_flow <> queue_triggers.about
        )
        and array[coalesce(target.tags ->> 'tenant', '')] = queue_triggers.tenants
    end;
  if concerned is null then
    return 0;
  end if;
  insert into pgflow.trigger_events (type, source, run_id, content, happened_at)
  values (
    event_type, event_source, queue_triggers.run_id, queue_triggers.content,
    queue_triggers.happened_at
  )
  on conflict on constraint each_event_is_noted_once do nothing
  returning event_id into noted;
  if noted is null then
    select known.event_id into noted
    from pgflow.trigger_events as known
    where known.type = queue_triggers.event_type and known.source = queue_triggers.event_source;
  end if;
  insert into pgflow.trigger_outcomes (trigger_id, event_id, trigger_name)
  select listening.trigger_id, noted, listening.name
  from pgflow.triggers as listening
  where listening.trigger_id = any (concerned)
  order by listening.trigger_id
  on conflict on constraint trigger_outcomes_pkey do nothing;
  get diagnostics queued = row_count;
  if queued > 0 then
    perform pg_notify('pgflow_runs', noted::text);
  end if;
  return queued;
end
$$;

CREATE FUNCTION pgflow.queue_wait(wait pgflow.waits, event_type text, happened_at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  flow_of_run text;
begin
  if not exists (
    select
    from pgflow.triggers as listening
    where listening.enabled and listening.on_event = queue_wait.event_type
  ) then
    return;
  end if;
  select coalesce(
    (select run.flow_slug from pgflow.runs as run where run.run_id = wait.run_id),
    (select asked.flow_slug from pgflow.run_requests as asked where asked.run_id = wait.run_id),
    wait.flow_slug
  ) into flow_of_run;
  perform pgflow.queue_triggers(
    queue_wait.event_type,
    format('%s at %s', wait.wait_id, pgflow.as_utc(queue_wait.happened_at)),
    queue_wait.happened_at,
    flow_of_run,
    array[wait.tenant],
    wait.run_id,
    jsonb_build_object(
      'type', queue_wait.event_type,
      'run_id', wait.run_id,
      'flow', flow_of_run,
      'step', wait.step_path,
      'kind', wait.kind,
      'prompt', wait.prompt,
      'answer_schema', wait.answer_schema,
      'answerers', to_jsonb(wait.answerers),
      'signal', wait.signal,
      'key', wait.key,
      'waiting_since', pgflow.as_utc(wait.opened_at),
      'due_at', pgflow.as_utc(wait.due_at)
    )
  );
exception
  when others then
    -- Whatever is wrong with triggers, the step waits.
    raise warning 'No trigger learns that step "%" of run % waits: %', wait.step_path, wait.run_id, sqlerrm;
end
$$;

COMMENT ON FUNCTION pgflow.queue_wait(wait pgflow.waits, event_type text, happened_at timestamp with time zone) IS 'Queues that a step waits for the triggers that it concerns, and never keeps it from waiting';

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

CREATE FUNCTION pgflow.signal(name text, key text DEFAULT NULL::text, payload jsonb DEFAULT 'null'::jsonb, expires_in interval DEFAULT '1 day'::interval, broadcast boolean DEFAULT false, sent_from uuid DEFAULT NULL::uuid) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  is_for_all constant boolean := coalesce(broadcast, false);
  kept_for constant interval := coalesce(expires_in, interval '1 day');
  sees_all constant boolean :=
    current_setting('transaction_isolation') in ('read committed', 'read uncommitted');
  sent pgflow.signals;
begin
  if coalesce(name, '') = '' or length(name) > 200 or length(key) > 4000 then
    raise exception 'The name of a signal has 1 to 200 characters, and its key at most 4000; here they are % and %.',
      coalesce(length(name), 0), coalesce(length(key), 0)
      using errcode = 'invalid_parameter_value';
  elsif key is null and not is_for_all then
    raise exception 'Signal "%" needs the key of the step that it is for; or send it to all that wait for it, with broadcast => true.',
      name
      using errcode = 'invalid_parameter_value';
  elsif kept_for < interval '0' or kept_for > interval '366 days' then
    raise exception 'Signal "%" shall be kept for %; write 0 to 366 days.', name, kept_for
      using errcode = 'invalid_parameter_value';
  end if;
  perform pgflow.refuse_beyond_limits(payload, format('The payload of signal "%s"', name));
  perform pgflow.sweep_signals();
  perform pgflow.lock_signals(name, key);
  insert into pgflow.signals (
    name, key, payload, broadcast, tenants, sent_by, sent_from, expires_at, is_unmatched
  )
  values (
    signal.name, signal.key, coalesce(signal.payload, 'null'), is_for_all,
    pgflow.tenants_to_serve(), pgflow.name_of_caller(), signal.sent_from,
    clock_timestamp() + kept_for, not sees_all
  )
  returning * into sent;
  if sees_all then
    return pgflow.deliver_signal(sent, true);
  end if;
  perform pg_notify('pgflow_runs', '');
  return 0;
end
$$;

COMMENT ON FUNCTION pgflow.signal(name text, key text, payload jsonb, expires_in interval, broadcast boolean, sent_from uuid) IS 'Sends a signal to the oldest step that waits for its name and key, or to all; returns to how many. It is kept for those that begin to wait later';

alter table pgflow.store add column pruned_before timestamp with time zone;

COMMENT ON COLUMN pgflow.store.pruned_before IS 'What ended earlier may have been deleted, and starts nothing any more';

CREATE INDEX waits_by_reminder ON pgflow.waits USING btree (reminder_at, wait_id) WHERE ((status = 'open'::text) AND (reminder_at IS NOT NULL));

REVOKE ALL ON FUNCTION pgflow.as_utc(moment timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.delete_runs(run_ids uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.next_reminder(opened_at timestamp with time zone, reminders integer[], moment timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.note_reminders(most integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.prune(older_than interval, most integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.queue_wait(wait pgflow.waits, event_type text, happened_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.signal(name text, key text, payload jsonb, expires_in interval, broadcast boolean, sent_from uuid) FROM PUBLIC;

update pgflow.waits set reminder_at = pgflow.next_reminder(opened_at, reminders, now())
where status = 'open' and reminders <> '{}';
