create function pgflow.take_signal(wait pgflow.waits) returns pgflow.waits
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
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

comment on function pgflow.take_signal(pgflow.waits) is
  'Gives a step that waits the oldest of the signals that came before it, if one is for it';
