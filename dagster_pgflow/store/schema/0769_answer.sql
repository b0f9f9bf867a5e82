create function pgflow.answer(
  run_id uuid,
  step_path text,
  answer jsonb,
  answered_by text default null,
  acting_as text default null
) returns pgflow.waits
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
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

comment on function pgflow.answer(uuid, text, jsonb, text, text) is
  'Answers a step that waits, and has its run go on; the first answer counts, and whoever else comes is told';
