create function pgflow.queue_wait(wait pgflow.waits, event_type text, happened_at timestamptz)
returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
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

comment on function pgflow.queue_wait(pgflow.waits, text, timestamptz) is
  'Queues that a step waits for the triggers that it concerns, and never keeps it from waiting';
