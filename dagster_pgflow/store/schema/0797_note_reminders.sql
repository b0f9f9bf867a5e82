create function pgflow.note_reminders(most integer default 100) returns integer
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
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

comment on function pgflow.note_reminders(integer) is
  'Queues reminders that are due for the triggers that they concern, several of one step as one; returns of how many steps';
