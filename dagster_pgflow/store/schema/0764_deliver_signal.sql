create function pgflow.deliver_signal(sent pgflow.signals, refuses boolean) returns integer
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
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

comment on function pgflow.deliver_signal(pgflow.signals, boolean) is
  'Gives a signal to the oldest step that waits for it, or to all if it is for all; to how many';
