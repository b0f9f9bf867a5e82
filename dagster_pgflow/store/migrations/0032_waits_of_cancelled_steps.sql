-- old code: works

set local check_function_bodies to off;

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

  if wait.status = 'open' and (
    exists (
      select from pgflow.runs as run
      where run.run_id = wait.run_id and run.status in ('completed', 'failed', 'cancelled')
    )
    -- What it lies in has failed, and the run went on elsewhere.
    or exists (
      select from pgflow.step_states as step
      where step.run_id = wait.run_id
        and step.step_path = wait.step_path
        and step.status = 'cancelled'
    )
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
