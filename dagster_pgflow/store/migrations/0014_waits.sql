-- old code: works

set local check_function_bodies to off;

drop index pgflow.runs_under_way;

CREATE TABLE pgflow.waits (
    wait_id bigint NOT NULL,
    run_id uuid NOT NULL,
    step_path text NOT NULL,
    kind text NOT NULL,
    flow_slug text NOT NULL,
    step_slug text NOT NULL,
    tenant text DEFAULT ''::text NOT NULL,
    prompt text DEFAULT ''::text NOT NULL,
    answer_schema jsonb,
    answerers text[] DEFAULT '{}'::text[] NOT NULL,
    signal text,
    key text,
    opened_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    due_at timestamp with time zone,
    reminders integer[] DEFAULT '{}'::integer[] NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    answer pgflow.json_within_limits,
    answered_by text,
    closed_at timestamp with time zone,
    taken_at timestamp with time zone,
    CONSTRAINT a_signal_has_a_key CHECK (((signal IS NULL) = (key IS NULL))),
    CONSTRAINT a_sleep_ends CHECK (((kind <> 'sleep'::text) OR (due_at IS NOT NULL))),
    CONSTRAINT key_is_not_too_long CHECK ((length(key) <= 4000)),
    CONSTRAINT kind_is_valid CHECK ((kind = ANY (ARRAY['approval'::text, 'wait'::text, 'sleep'::text]))),
    CONSTRAINT only_what_is_answered_has_an_answer CHECK (((answer IS NULL) OR (status = 'answered'::text))),
    CONSTRAINT only_what_is_over_is_taken CHECK (((taken_at IS NULL) OR (status <> 'open'::text))),
    CONSTRAINT signal_is_not_too_long CHECK ((length(signal) <= 200)),
    CONSTRAINT status_is_valid CHECK ((status = ANY (ARRAY['open'::text, 'answered'::text, 'timed_out'::text, 'cancelled'::text]))),
    CONSTRAINT what_is_over_has_its_time CHECK (((status = 'open'::text) = (closed_at IS NULL)))
);

COMMENT ON TABLE pgflow.waits IS 'What the steps of runs wait for, and waited for; the row may be there before its run is one of pgflow.runs';

COMMENT ON COLUMN pgflow.waits.flow_slug IS 'The flow that the step is of';

COMMENT ON COLUMN pgflow.waits.answerers IS 'Who may answer: names that people answer by, or database roles; empty is everybody who may answer at all';

COMMENT ON COLUMN pgflow.waits.key IS 'Which signals of this name are for it';

COMMENT ON COLUMN pgflow.waits.due_at IS 'When it is over at the latest';

COMMENT ON COLUMN pgflow.waits.reminders IS 'After how many seconds somebody is to be reminded';

COMMENT ON COLUMN pgflow.waits.answer IS 'What was answered, or the payload of the signal; null while there is none, JSON null is an answer';

COMMENT ON COLUMN pgflow.waits.taken_at IS 'When its step has learned how it ended';

CREATE FUNCTION pgflow.answer(run_id uuid, step_path text, answer jsonb, answered_by text DEFAULT NULL::text, acting_as text DEFAULT NULL::text) RETURNS pgflow.waits
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  given constant jsonb := coalesce(answer, 'null');
  who constant text := coalesce(nullif(answered_by, ''), pgflow.name_of_caller());
  seen constant text[] := pgflow.tenants_to_serve();
  wait pgflow.waits;
  problem text;
begin
  select known.* into wait
  from pgflow.waits as known
  where known.run_id = answer.run_id
    and known.step_path = answer.step_path
    and array[known.tenant, '*'] && seen
  for update;
  if wait.wait_id is null and exists (
    select
    from pgflow.runs as run
    join pgflow.flow_versions as pinned
      on pinned.flow_slug = run.flow_slug and pinned.version = run.flow_version
    where run.run_id = answer.run_id
      and not array[pinned.definition #>> '{tags,tenant}', '*'] && seen
  ) then
    raise exception 'There is no run %.', answer.run_id using errcode = 'no_data_found';
  end if;
  perform pgflow.refuse_unanswerable(answer.run_id, answer.step_path, wait);
  perform pgflow.refuse_answerer(wait, who, nullif(acting_as, ''));
  perform pgflow.refuse_beyond_limits(given, format('The answer to step "%s"', wait.step_path));
  problem := pgflow.answer_problem(wait, given, 'answer');
  if problem is not null then
    raise exception 'Step "%" of run % does not take this answer: %.',
      wait.step_path, wait.run_id, problem
      using errcode = 'invalid_parameter_value', constraint = 'answer_fits_its_schema';
  end if;
  return pgflow.close_wait(wait.wait_id, 'answered', given, who);
end
$$;

COMMENT ON FUNCTION pgflow.answer(run_id uuid, step_path text, answer jsonb, answered_by text, acting_as text) IS 'Answers a step that waits, and has its run go on; the first answer counts, and whoever else comes is told';

CREATE FUNCTION pgflow.answer_problem(wait pgflow.waits, answer jsonb, meaning text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
    when wait.answer_schema is not null
      then pgflow.schema_problem(answer, wait.answer_schema, wait.answer_schema, meaning)
  end
$$;

COMMENT ON FUNCTION pgflow.answer_problem(wait pgflow.waits, answer jsonb, meaning text) IS 'What is wrong with an answer by the schema of the step, as far as SQL can tell; null when nothing is';

CREATE FUNCTION pgflow.cancel_waiting_run(run_id uuid) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  status text;
  under_way pgflow.run_continuations;
begin
  perform pg_advisory_xact_lock(pgflow.lock_of_continuations(cancel_waiting_run.run_id));
  select run.status into status
  from pgflow.runs as run
  where run.run_id = cancel_waiting_run.run_id;
  if not found then
    raise exception 'There is no run %.', coalesce(cancel_waiting_run.run_id::text, 'without an id')
      using errcode = 'no_data_found';
  elsif status <> 'waiting' then
    return false;
  end if;
  select continuation.* into under_way
  from pgflow.run_continuations as continuation
  where continuation.run_id = cancel_waiting_run.run_id and continuation.ended_at is null;
  if under_way.run_id is not null then
    return under_way.kind = 'cancel';
  end if;
  perform pgflow.close_wait(wait.wait_id, 'cancelled')
  from (
    select open.wait_id
    from pgflow.waits as open
    where open.run_id = cancel_waiting_run.run_id and open.status = 'open'
    order by open.wait_id
    for update
  ) as wait;
  insert into pgflow.run_continuations (run_id, number, kind)
  select cancel_waiting_run.run_id, 1 + coalesce(max(before.number), 0), 'cancel'
  from pgflow.run_continuations as before
  where before.run_id = cancel_waiting_run.run_id;
  perform pg_notify('pgflow_runs', cancel_waiting_run.run_id::text);
  return true;
end
$$;

COMMENT ON FUNCTION pgflow.cancel_waiting_run(run_id uuid) IS 'Ends the waits of a run that waits, and has it go on to its end; false when it does not wait, or goes on already';

CREATE FUNCTION pgflow.claim_continuation(lease interval DEFAULT '00:01:00'::interval) RETURNS TABLE(run_id uuid, number integer, kind text, flow_slug text, dagster_run_id uuid)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  candidate uuid;
  claimed pgflow.run_continuations;
begin
  perform pgflow.match_signals();
  for candidate in select ready.run_id from pgflow.runs_to_go_on(lease) as ready loop
    continue when not pg_try_advisory_xact_lock(pgflow.lock_of_continuations(candidate));
    -- Another one may have had it since, and be done: it is looked at anew.
    continue when not exists (select from pgflow.runs_to_go_on(lease, candidate));
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

COMMENT ON FUNCTION pgflow.claim_continuation(lease interval) IS 'Takes the run that is to go on next, until the end of the transaction for this session alone; one that was taken and has not gone on is taken again after the lease, under the same number';

CREATE FUNCTION pgflow.close_wait(wait_id bigint, status text, answer jsonb DEFAULT NULL::jsonb, answered_by text DEFAULT NULL::text) RETURNS pgflow.waits
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  closed pgflow.waits;
begin
  update pgflow.waits as wait
  set
    status = close_wait.status,
    answer = close_wait.answer,
    answered_by = close_wait.answered_by,
    closed_at = clock_timestamp()
  where wait.wait_id = close_wait.wait_id
  returning wait.* into closed;
  perform pg_notify('pgflow_runs', closed.run_id::text);
  return closed;
end
$$;

COMMENT ON FUNCTION pgflow.close_wait(wait_id bigint, status text, answer jsonb, answered_by text) IS 'Ends a wait that the transaction holds, and has those look who go on with runs';

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
  end if;

  perform pgflow.refuse_run(
    run.run_id, format('Flow "%s" was deleted before this run began.', flow.flow_slug)
  )
  from pgflow.runs as run
  where run.flow_slug = flow.flow_slug
    and run.status = 'queued'
    and run.dagster_run_id is null;
  if coalesce(delete_flow.with_runs, false) then
    perform pgflow.delete_runs_of(flow.flow_slug);
  end if;
  delete from pgflow.flows as doomed where doomed.flow_slug = flow.flow_slug;
  return flow;
end
$$;

CREATE OR REPLACE FUNCTION pgflow.delete_runs_of(flow_slug text) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with deleted as (
    delete from pgflow.runs as run
    where run.flow_slug = delete_runs_of.flow_slug
      and run.status in ('completed', 'failed', 'cancelled')
    returning run.id, run.run_id, run.dagster_run_id
  ),
  events as (
    delete from pgflow.event_log as event
    using deleted
    where event.run_id = deleted.run_id
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

CREATE TABLE pgflow.signals (
    signal_id bigint NOT NULL,
    name text NOT NULL,
    key text,
    payload pgflow.json_within_limits DEFAULT 'null'::jsonb NOT NULL,
    broadcast boolean DEFAULT false NOT NULL,
    tenants text[] DEFAULT '{*}'::text[] NOT NULL,
    sent_by text DEFAULT SESSION_USER NOT NULL,
    sent_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    is_unmatched boolean DEFAULT false NOT NULL,
    taken_at timestamp with time zone,
    taken_by bigint,
    CONSTRAINT key_is_not_too_long CHECK ((length(key) <= 4000)),
    CONSTRAINT name_is_valid CHECK (((name <> ''::text) AND (length(name) <= 200))),
    CONSTRAINT one_for_all_is_taken_by_nobody CHECK (((taken_at IS NULL) OR (NOT broadcast))),
    CONSTRAINT only_one_for_all_has_no_key CHECK (((key IS NOT NULL) OR broadcast)),
    CONSTRAINT who_takes_it_has_its_time CHECK (((taken_at IS NULL) = (taken_by IS NULL)))
);

COMMENT ON TABLE pgflow.signals IS 'Signals that were sent, until they expire; a step that begins to wait takes what came before';

COMMENT ON COLUMN pgflow.signals.key IS 'Whose it is among the steps that wait for the name; null is all of them';

COMMENT ON COLUMN pgflow.signals.broadcast IS 'Whether it goes to each step that waits for it, before it expires, and is not used up';

COMMENT ON COLUMN pgflow.signals.tenants IS 'The tenants whose steps may take it; * is every tenant';

COMMENT ON COLUMN pgflow.signals.is_unmatched IS 'Whether whoever sent it could not see every step that waits, so that others have still to look';

COMMENT ON COLUMN pgflow.signals.taken_by IS 'The wait_id of what took it';

CREATE FUNCTION pgflow.deliver_signal(sent pgflow.signals, refuses boolean) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  candidate bigint;
  wait pgflow.waits;
  problem text;
  first_problem text;
  delivered integer := 0;
begin
  for candidate in
    select found.wait_id
    from (
      select one.wait_id, one.opened_at, one.tenant, one.due_at
      from pgflow.waits as one
      where one.status = 'open'
        and one.signal = sent.name
        and md5(one.key) = md5(sent.key)
        and one.key = sent.key
      union all
      select one.wait_id, one.opened_at, one.tenant, one.due_at
      from pgflow.waits as one
      where sent.key is null and one.status = 'open' and one.signal = sent.name
    ) as found
    where (found.due_at is null or found.due_at > sent.sent_at)
      and array[found.tenant, '*'] && sent.tenants
    order by found.opened_at, found.wait_id
  loop
    -- Somebody may have answered it meanwhile, or its time may be over.
    select locked.* into wait
    from pgflow.waits as locked
    where locked.wait_id = candidate and locked.status = 'open'
    for update;
    continue when not found or wait.due_at <= clock_timestamp();
    problem := pgflow.answer_problem(wait, sent.payload, 'payload');
    if problem is not null then
      first_problem := coalesce(
        first_problem, format('step "%s" of run %s: %s', wait.step_path, wait.run_id, problem)
      );
      continue;
    end if;
    perform pgflow.close_wait(wait.wait_id, 'answered', sent.payload, sent.sent_by);
    delivered := delivered + 1;
    if not sent.broadcast then
      update pgflow.signals as taken
      set taken_at = clock_timestamp(), taken_by = wait.wait_id
      where taken.signal_id = sent.signal_id;
      exit;
    end if;
  end loop;
  if refuses and delivered = 0 and first_problem is not null then
    raise exception 'Signal "%" does not fit what waits for it: %.', sent.name, first_problem
      using errcode = 'invalid_parameter_value', constraint = 'answer_fits_its_schema';
  end if;
  return delivered;
end
$$;

COMMENT ON FUNCTION pgflow.deliver_signal(sent pgflow.signals, refuses boolean) IS 'Gives a signal to the oldest step that waits for it, or to all if it is for all; to how many';

CREATE FUNCTION pgflow.end_continuation(run_id uuid, number integer) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update pgflow.run_continuations as continuation
  set ended_at = clock_timestamp()
  where continuation.run_id = end_continuation.run_id
    and continuation.number = end_continuation.number
    and continuation.ended_at is null;
  if not found then
    return false;
  end if;
  -- An answer may have come meanwhile.
  perform pg_notify('pgflow_runs', end_continuation.run_id::text);
  return true;
end
$$;

COMMENT ON FUNCTION pgflow.end_continuation(run_id uuid, number integer) IS 'Notes that the Dagster run of a continuation is over, so that the run may go on again; whether it was under way';

CREATE OR REPLACE FUNCTION pgflow.get_run_counter(run_id uuid) RETURNS integer
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(
    (
      select snapshot.counter
      from pgflow.run_counter_snapshots as snapshot
      where snapshot.run_id = run.run_id
      order by snapshot.sequence_num desc
      limit 1
    ),
    -- A run that ended before Dagster had it never had a token.
    case when run.status not in ('queued', 'started', 'waiting') then 0 end
  )
  from pgflow.runs as run
  where run.run_id = get_run_counter.run_id
$$;

CREATE FUNCTION pgflow.lock_of_continuations(run_id uuid) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select hashtextextended(lock_of_continuations.run_id::text, 7265706561746564)
$$;

COMMENT ON FUNCTION pgflow.lock_of_continuations(run_id uuid) IS 'The advisory lock that whoever has a run go on holds; its row others write, who must not wait';

CREATE FUNCTION pgflow.lock_signals(name text, key text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if key is null then
    perform pg_advisory_xact_lock(hashtextextended(name, 7369676));
  else
    perform pg_advisory_xact_lock_shared(hashtextextended(name, 7369676));
    perform pg_advisory_xact_lock(hashtextextended(name || ' ' || key, 7369676));
  end if;
end
$$;

COMMENT ON FUNCTION pgflow.lock_signals(name text, key text) IS 'Holds back, until the transaction ends, others who send or await signals of this name and key';

CREATE FUNCTION pgflow.match_signals() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  sent pgflow.signals;
begin
  for sent in
    select unmatched.*
    from pgflow.signals as unmatched
    where unmatched.is_unmatched
    order by unmatched.signal_id
    limit 100
    for update skip locked
  loop
    perform pgflow.lock_signals(sent.name, sent.key);
    perform pgflow.deliver_signal(sent, false);
    update pgflow.signals as matched set is_unmatched = false where matched.signal_id = sent.signal_id;
  end loop;
end
$$;

COMMENT ON FUNCTION pgflow.match_signals() IS 'Gives signals to steps that their senders could not see, since they began to wait meanwhile';

CREATE FUNCTION pgflow.name_of_caller() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case current_setting('role') when 'none' then session_user::text else current_setting('role') end
$$;

COMMENT ON FUNCTION pgflow.name_of_caller() IS 'The database role that asks, whatever runs with the rights of the owner';

CREATE OR REPLACE FUNCTION pgflow.note_ended_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update pgflow.run_requests as request
  set ended_at = clock_timestamp()
  where request.run_id = new.run_id and request.ended_at is null;
  update pgflow.waits as wait
  set
    status = case wait.status when 'open' then 'cancelled' else wait.status end,
    closed_at = coalesce(wait.closed_at, clock_timestamp()),
    taken_at = coalesce(wait.taken_at, clock_timestamp())
  where wait.run_id = new.run_id and wait.taken_at is null;
  perform pg_notify('pgflow_runs_ended', new.run_id::text);
  -- There may be room for one that waits: whoever takes requests shall look.
  if exists (
    select
    from pgflow.flows as flow
    where flow.flow_slug = new.flow_slug
      and (flow.opt_max_concurrent_runs, flow.opt_max_concurrent_runs_per_key) is distinct from (null, null)
  ) then
    perform pg_notify('pgflow_runs', new.run_id::text);
  end if;
  return null;
end
$$;

COMMENT ON FUNCTION pgflow.note_ended_run() IS 'Frees the place of a run that is over, ends its waits, and tells who waits for its end';

CREATE FUNCTION pgflow.note_waiting_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update pgflow.run_requests as request
  set ended_at = clock_timestamp()
  where request.run_id = new.run_id and request.ended_at is null;
  -- What it waits for may have come before it waited, and there may be room for another run.
  perform pg_notify('pgflow_runs', new.run_id::text);
  return null;
end
$$;

COMMENT ON FUNCTION pgflow.note_waiting_run() IS 'Frees the place of a run that waits, and has those look who take requests and waits';

CREATE FUNCTION pgflow.open_wait(run_id uuid, step_path text, kind text, flow_slug text, step_slug text, tenant text DEFAULT ''::text, prompt text DEFAULT ''::text, answer_schema jsonb DEFAULT NULL::jsonb, answerers text[] DEFAULT '{}'::text[], signal text DEFAULT NULL::text, key text DEFAULT NULL::text, seconds double precision DEFAULT NULL::double precision, until double precision DEFAULT NULL::double precision, reminders integer[] DEFAULT '{}'::integer[]) RETURNS pgflow.waits
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  own_key constant text := case
    when signal is not null then coalesce(key, run_id || '/' || step_path)
  end;
  opened constant timestamptz := clock_timestamp();
  wait pgflow.waits;
begin
  if signal is not null then
    perform pgflow.lock_signals(signal, own_key);
    perform pgflow.sweep_signals();
  end if;
  insert into pgflow.waits (
    run_id, step_path, kind, flow_slug, step_slug, tenant, prompt, answer_schema, answerers,
    signal, key, opened_at, due_at, reminders
  )
  values (
    open_wait.run_id, open_wait.step_path, open_wait.kind, open_wait.flow_slug, open_wait.step_slug,
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
    open_wait.reminders
  )
  on conflict on constraint waits_run_id_step_path_key do nothing;
  select known.* into wait
  from pgflow.waits as known
  where known.run_id = open_wait.run_id and known.step_path = open_wait.step_path
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
  return wait;
end
$$;

COMMENT ON FUNCTION pgflow.open_wait(run_id uuid, step_path text, kind text, flow_slug text, step_slug text, tenant text, prompt text, answer_schema jsonb, answerers text[], signal text, key text, seconds double precision, until double precision, reminders integer[]) IS 'Has a step wait, unless it does already, and says how that stands: whoever asks after the end has taken note of it';

CREATE FUNCTION pgflow.refuse_answerer(wait pgflow.waits, answered_by text, acting_as text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if length(answered_by) > 200 then
    raise exception 'The name of who answers has % characters; it has at most 200.', length(answered_by)
      using errcode = 'invalid_parameter_value';
  end if;
  if wait.answerers = '{}'
    or answered_by = any (wait.answerers)
    or acting_as = any (wait.answerers)
    or exists (
      select
      from pg_roles as allowed
      join pg_roles as caller on caller.rolname = pgflow.name_of_caller()
      where allowed.rolname = any (wait.answerers)
        and pg_has_role(caller.oid, allowed.oid, 'usage')
    )
  then
    return;
  end if;
  raise exception 'Step "%" of run % may be answered by %, and "%" is none of them.',
    wait.step_path, wait.run_id, array_to_string(wait.answerers, ', '),
    coalesce(acting_as, answered_by)
    using errcode = 'invalid_parameter_value', constraint = 'only_answerers_answer';
end
$$;

COMMENT ON FUNCTION pgflow.refuse_answerer(wait pgflow.waits, answered_by text, acting_as text) IS 'Raises when a step says who may answer it, and this is somebody else';

CREATE FUNCTION pgflow.refuse_unanswerable(run_id uuid, step_path text, wait pgflow.waits) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  place constant text := format('Step "%s" of run %s', left(step_path, 500), run_id);
  run pgflow.runs;
  others text;
begin
  select known.* into run from pgflow.runs as known where known.run_id = refuse_unanswerable.run_id;
  if wait.wait_id is null and run.run_id is null then
    raise exception 'There is no run %.', coalesce(run_id::text, 'without an id')
      using errcode = 'no_data_found';
  elsif wait.status = 'answered' and wait.kind <> 'sleep' then
    raise exception '% was answered before, by % at % UTC, and the first answer counts.',
      place, wait.answered_by, to_char(wait.closed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
      using errcode = 'object_not_in_prerequisite_state', constraint = 'the_first_answer_counts';
  elsif wait.status = 'cancelled' or run.status in ('completed', 'failed', 'cancelled') then
    raise exception '% takes no answer any more: the run is %.',
      place, case when run.status in ('completed', 'failed') then run.status else 'cancelled' end
      using errcode = 'object_not_in_prerequisite_state', constraint = 'what_is_over_has_no_answer';
  elsif wait.wait_id is null then
    select string_agg(format('"%s"', open.step_path), ', ' order by open.opened_at) into others
    from (
      select one.step_path, one.opened_at
      from pgflow.waits as one
      where one.run_id = run.run_id and one.status = 'open' and one.kind <> 'sleep'
      order by one.opened_at
      limit 20
    ) as open;
    raise exception '% does not wait for an answer; %.',
      place, coalesce('what does: ' || others, 'no step of this run does')
      using errcode = 'no_data_found';
  elsif wait.kind = 'sleep' then
    raise exception '% sleeps until % UTC, and no answer wakes it.',
      place, to_char(wait.due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
      using errcode = 'object_not_in_prerequisite_state', constraint = 'a_sleep_has_no_answer';
  elsif wait.status = 'timed_out' or wait.due_at <= clock_timestamp() then
    raise exception '% could be answered until % UTC, and that is over.',
      place, to_char(wait.due_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
      using errcode = 'object_not_in_prerequisite_state', constraint = 'a_deadline_counts';
  end if;
end
$$;

COMMENT ON FUNCTION pgflow.refuse_unanswerable(run_id uuid, step_path text, wait pgflow.waits) IS 'Raises when a step takes no answer: there is none such, it has one, or its time is over';

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
    ('answerer', 'execute', 'function', 'answer'),
    ('answerer', 'execute', 'function', 'signal'),
    ('author', 'execute', 'function', 'create_flow'),
    ('author', 'execute', 'function', 'add_step'),
    ('author', 'execute', 'function', 'define_step'),
    ('author', 'execute', 'function', 'replace_flow'),
    ('author', 'execute', 'function', 'publish_flow'),
    ('author', 'execute', 'function', 'delete_flow'),
    ('author', 'execute', 'function', 'describe_sessions'),
    ('author', 'execute', 'function', 'reset_circuit_breaker'),
    ('author', 'update', 'table', 'circuit_breakers'),
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
    ('worker', 'execute', 'function', 'answer'),
    ('worker', 'execute', 'function', 'answer_problem'),
    ('worker', 'execute', 'function', 'cancel_waiting_run'),
    ('worker', 'execute', 'function', 'claim_continuation'),
    ('worker', 'execute', 'function', 'close_wait'),
    ('worker', 'execute', 'function', 'deliver_signal'),
    ('worker', 'execute', 'function', 'end_continuation'),
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

alter table pgflow.runs drop constraint status_is_valid;

alter table pgflow.runs add constraint status_is_valid CHECK ((status = ANY (ARRAY['queued'::text, 'started'::text, 'waiting'::text, 'completed'::text, 'failed'::text, 'cancelled'::text])));

CREATE FUNCTION pgflow.runs_to_go_on(lease interval, wanted uuid DEFAULT NULL::uuid) RETURNS TABLE(run_id uuid, since timestamp with time zone)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
declare
  moment constant timestamptz := clock_timestamp();
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
    and not exists (
      select
      from pgflow.run_continuations as under_way
      where under_way.run_id = ready.run_id
        and under_way.ended_at is null
        and under_way.claimed_at > moment - lease
    )
  group by ready.run_id
  order by since, ready.run_id;
end
$$;

COMMENT ON FUNCTION pgflow.runs_to_go_on(lease interval, wanted uuid) IS 'The runs that wait and can go on, and since when, the oldest first; with an id, whether that one can';

CREATE FUNCTION pgflow.signal(name text, key text DEFAULT NULL::text, payload jsonb DEFAULT 'null'::jsonb, expires_in interval DEFAULT '1 day'::interval, broadcast boolean DEFAULT false) RETURNS integer
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
    name, key, payload, broadcast, tenants, sent_by, expires_at, is_unmatched
  )
  values (
    signal.name, signal.key, coalesce(signal.payload, 'null'), is_for_all,
    pgflow.tenants_to_serve(), pgflow.name_of_caller(), clock_timestamp() + kept_for, not sees_all
  )
  returning * into sent;
  if sees_all then
    return pgflow.deliver_signal(sent, true);
  end if;
  perform pg_notify('pgflow_runs', '');
  return 0;
end
$$;

COMMENT ON FUNCTION pgflow.signal(name text, key text, payload jsonb, expires_in interval, broadcast boolean) IS 'Sends a signal to the oldest step that waits for its name and key, or to all; returns to how many. It is kept for those that begin to wait later';

CREATE FUNCTION pgflow.sweep_signals() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  delete from pgflow.signals as expired
  where expired.signal_id in (
    select old.signal_id
    from pgflow.signals as old
    where old.expires_at <= statement_timestamp() and not old.is_unmatched
    order by old.expires_at
    limit 100
    for update skip locked
  )
$$;

COMMENT ON FUNCTION pgflow.sweep_signals() IS 'Deletes signals that have expired, not more of them at once than take no time';

CREATE FUNCTION pgflow.take_signal(wait pgflow.waits) RETURNS pgflow.waits
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  sent pgflow.signals;
begin
  for sent in
    select kept.*
    from pgflow.signals as kept
    where kept.name = wait.signal
      and (md5(kept.key) = md5(wait.key) or kept.key is null)
      and coalesce(kept.key, wait.key) = wait.key
      and kept.taken_at is null
      and kept.expires_at > greatest(clock_timestamp(), wait.opened_at)
      and (wait.due_at is null or kept.sent_at <= wait.due_at)
      and array[wait.tenant, '*'] && kept.tenants
    order by kept.signal_id
    -- One that somebody else has is about to be taken by a step that waits, maybe by this one.
    for update skip locked
  loop
    continue when pgflow.answer_problem(wait, sent.payload, 'payload') is not null;
    if not sent.broadcast then
      update pgflow.signals as taken
      set taken_at = clock_timestamp(), taken_by = wait.wait_id, is_unmatched = false
      where taken.signal_id = sent.signal_id;
    end if;
    return pgflow.close_wait(wait.wait_id, 'answered', sent.payload, sent.sent_by);
  end loop;
  return wait;
end
$$;

COMMENT ON FUNCTION pgflow.take_signal(wait pgflow.waits) IS 'Gives a step that waits the oldest of the signals that came before it, if one is for it';

CREATE FUNCTION pgflow.tenants_to_serve() RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case
    when exists (select from pg_class where oid = 'pgflow.flows'::regclass and relrowsecurity)
      then pgflow.seen_tenants()
    else '{*}'
  end
$$;

COMMENT ON FUNCTION pgflow.tenants_to_serve() IS 'The tenants that the user sees while tenants are isolated, else all: *';

alter table pgflow.subruns drop constraint status_is_valid;

alter table pgflow.subruns add constraint status_is_valid CHECK ((status = ANY (ARRAY['created'::text, 'started'::text, 'waiting'::text, 'completed'::text, 'failed'::text, 'skipped'::text, 'cancelled'::text])));

CREATE TABLE pgflow.run_continuations (
    run_id uuid NOT NULL,
    number integer NOT NULL,
    dagster_run_id uuid,
    kind text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    claimed_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT kind_is_valid CHECK ((kind = ANY (ARRAY['resume'::text, 'cancel'::text, 'recover'::text]))),
    CONSTRAINT number_counts_from_1 CHECK ((number >= 1))
);

COMMENT ON TABLE pgflow.run_continuations IS 'The Dagster runs that a run goes on in, after its first; one at a time';

COMMENT ON COLUMN pgflow.run_continuations.kind IS 'Why it goes on: resume is that something has come that it waited for';

COMMENT ON COLUMN pgflow.run_continuations.claimed_at IS 'When somebody last began to make its Dagster run; null while nobody has';

COMMENT ON COLUMN pgflow.run_continuations.ended_at IS 'When its Dagster run was seen to be over; until then there is no next one';

ALTER TABLE pgflow.signals ALTER COLUMN signal_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pgflow.signals_signal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

alter table pgflow.step_states drop constraint status_is_valid;

alter table pgflow.step_states add column waiting_for text;

alter table pgflow.step_states add column waiting_since timestamp with time zone;

alter table pgflow.step_states add constraint status_is_valid CHECK ((status = ANY (ARRAY['created'::text, 'started'::text, 'waiting'::text, 'completed'::text, 'failed'::text, 'skipped'::text, 'cancelled'::text])));

CREATE OR REPLACE VIEW pgflow.v_active_runs AS
 SELECT run.id,
    run.run_id,
    run.dagster_run_id,
    run.flow_slug,
    run.flow_version,
    run.status,
    run.created_at,
    run.started_at,
    run.updated_at,
    COALESCE(run.remaining_steps, 0) AS remaining_steps,
    newest.counter AS tokens,
    COALESCE(steps.under_way, (0)::bigint) AS steps_under_way,
    COALESCE(waiting.joins, (0)::bigint) AS joins_waiting
   FROM (((pgflow.runs run
     LEFT JOIN LATERAL ( SELECT snapshot.counter
           FROM pgflow.run_counter_snapshots snapshot
          WHERE (snapshot.run_id = run.run_id)
          ORDER BY snapshot.sequence_num DESC
         LIMIT 1) newest ON (true))
     LEFT JOIN LATERAL ( SELECT count(*) AS under_way
           FROM pgflow.step_states step
          WHERE ((step.run_id = run.run_id) AND (step.status = 'started'::text) AND (step.step_type <> 'subflow'::text))) steps ON (true))
     LEFT JOIN LATERAL ( SELECT count(DISTINCT pending.node) AS joins
           FROM pgflow.pending_tokens pending
          WHERE (pending.run_id = run.run_id)) waiting ON (true))
  WHERE (run.status = ANY (ARRAY['queued'::text, 'started'::text, 'waiting'::text]));

CREATE VIEW pgflow.v_open_waits AS
 SELECT wait.run_id,
    COALESCE(run.flow_slug, wait.flow_slug) AS flow_slug,
    wait.step_path,
    wait.kind,
    wait.prompt,
    wait.answer_schema,
    wait.answerers,
    wait.signal,
    wait.key,
    wait.opened_at AS waiting_since,
    wait.due_at,
    ( SELECT count(*) AS count
           FROM unnest(wait.reminders) reminder(seconds)
          WHERE ((wait.opened_at + make_interval(secs => (reminder.seconds)::double precision)) <= statement_timestamp())) AS reminders_due
   FROM (pgflow.waits wait
     LEFT JOIN pgflow.runs run ON ((run.run_id = wait.run_id)))
  WHERE ((wait.status = 'open'::text) AND (wait.kind = ANY (ARRAY['approval'::text, 'wait'::text])) AND ((wait.due_at IS NULL) OR (wait.due_at > statement_timestamp())) AND (COALESCE(run.status, 'queued'::text) = ANY (ARRAY['queued'::text, 'started'::text, 'waiting'::text])));

COMMENT ON VIEW pgflow.v_open_waits IS 'The steps that a person can answer now, or that a signal is awaited by';

COMMENT ON COLUMN pgflow.v_open_waits.reminders_due IS 'How many of its reminders have had their time: whoever sends them compares it with what it has sent';

ALTER TABLE pgflow.waits ALTER COLUMN wait_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pgflow.waits_wait_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY pgflow.run_continuations
    ADD CONSTRAINT run_continuations_dagster_run_id_key UNIQUE (dagster_run_id);

ALTER TABLE ONLY pgflow.run_continuations
    ADD CONSTRAINT run_continuations_pkey PRIMARY KEY (run_id, number);

ALTER TABLE ONLY pgflow.signals
    ADD CONSTRAINT signals_pkey PRIMARY KEY (signal_id);

ALTER TABLE ONLY pgflow.waits
    ADD CONSTRAINT waits_pkey PRIMARY KEY (wait_id);

ALTER TABLE ONLY pgflow.waits
    ADD CONSTRAINT waits_run_id_step_path_key UNIQUE (run_id, step_path);

CREATE UNIQUE INDEX run_continuations_under_way ON pgflow.run_continuations USING btree (run_id) WHERE (ended_at IS NULL);

CREATE INDEX runs_under_way ON pgflow.runs USING btree (created_at) WHERE (status = ANY (ARRAY['queued'::text, 'started'::text, 'waiting'::text]));

CREATE INDEX signals_by_expiry ON pgflow.signals USING btree (expires_at);

CREATE INDEX signals_that_are_kept ON pgflow.signals USING btree (name, md5(key), signal_id) WHERE (taken_at IS NULL);

CREATE INDEX signals_to_match ON pgflow.signals USING btree (signal_id) WHERE is_unmatched;

CREATE INDEX waits_by_deadline ON pgflow.waits USING btree (due_at, wait_id) WHERE ((status = 'open'::text) AND (due_at IS NOT NULL));

CREATE INDEX waits_for_signals ON pgflow.waits USING btree (signal, md5(key), opened_at, wait_id) WHERE ((status = 'open'::text) AND (signal IS NOT NULL));

CREATE INDEX waits_that_are_open ON pgflow.waits USING btree (opened_at, wait_id) WHERE (status = 'open'::text);

CREATE INDEX waits_to_go_on_from ON pgflow.waits USING btree (closed_at, wait_id) WHERE ((status <> 'open'::text) AND (taken_at IS NULL));

CREATE TRIGGER run_waits AFTER INSERT OR UPDATE OF status ON pgflow.runs FOR EACH ROW WHEN ((new.status = 'waiting'::text)) EXECUTE FUNCTION pgflow.note_waiting_run();

CREATE POLICY tenants_see_their_own ON pgflow.run_continuations USING ((('*'::text = ANY (( SELECT pgflow.seen_tenants() AS seen_tenants)::text[])) OR (EXISTS ( SELECT
   FROM pgflow.runs run
  WHERE (run.run_id = run_continuations.run_id)))));

CREATE POLICY tenants_see_their_own ON pgflow.signals USING (((tenants || ARRAY['*'::text]) && ( SELECT pgflow.seen_tenants() AS seen_tenants)));

CREATE POLICY tenants_see_their_own ON pgflow.waits USING ((ARRAY[tenant, '*'::text] && ( SELECT pgflow.seen_tenants() AS seen_tenants)));

REVOKE ALL ON FUNCTION pgflow.answer(run_id uuid, step_path text, answer jsonb, answered_by text, acting_as text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.answer_problem(wait pgflow.waits, answer jsonb, meaning text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.cancel_waiting_run(run_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.claim_continuation(lease interval) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.close_wait(wait_id bigint, status text, answer jsonb, answered_by text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.deliver_signal(sent pgflow.signals, refuses boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.end_continuation(run_id uuid, number integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.lock_of_continuations(run_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.lock_signals(name text, key text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.match_signals() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.name_of_caller() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.note_waiting_run() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.open_wait(run_id uuid, step_path text, kind text, flow_slug text, step_slug text, tenant text, prompt text, answer_schema jsonb, answerers text[], signal text, key text, seconds double precision, until double precision, reminders integer[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.refuse_answerer(wait pgflow.waits, answered_by text, acting_as text) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.refuse_unanswerable(run_id uuid, step_path text, wait pgflow.waits) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.runs_to_go_on(lease interval, wanted uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.signal(name text, key text, payload jsonb, expires_in interval, broadcast boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.sweep_signals() FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.take_signal(wait pgflow.waits) FROM PUBLIC;

REVOKE ALL ON FUNCTION pgflow.tenants_to_serve() FROM PUBLIC;
