create function pgflow.refuse_unanswerable(run_id uuid, step_path text, wait pgflow.waits)
returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
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
    select string_agg(format('"%s"', open.step_path), ', ' order by open.opened_at, open.step_path) into others
    from (
      select one.step_path, one.opened_at
      from pgflow.waits as one
      where one.run_id = run.run_id and one.status = 'open' and one.kind <> 'sleep'
      order by one.opened_at, one.step_path
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

comment on function pgflow.refuse_unanswerable(uuid, text, pgflow.waits) is
  'Raises when a step takes no answer: there is none such, it has one, or its time is over';
