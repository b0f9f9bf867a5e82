create view pgflow.v_open_waits as
select
  wait.run_id,
  coalesce(run.flow_slug, wait.flow_slug) as flow_slug,
  wait.step_path,
  wait.kind,
  wait.prompt,
  wait.answer_schema,
  wait.answerers,
  wait.signal,
  wait.key,
  wait.opened_at as waiting_since,
  wait.due_at,
  (
    select count(*)
    from unnest(wait.reminders) as reminder (seconds)
    where wait.opened_at + make_interval(secs => reminder.seconds) <= statement_timestamp()
  ) as reminders_due
from pgflow.waits as wait
left join pgflow.runs as run on run.run_id = wait.run_id
where wait.status = 'open'
  and wait.kind in ('approval', 'wait')
  and (wait.due_at is null or wait.due_at > statement_timestamp())
  and coalesce(run.status, 'queued') in ('queued', 'started', 'waiting');

comment on view pgflow.v_open_waits is 'The steps that a person can answer now, or that a signal is awaited by';
comment on column pgflow.v_open_waits.reminders_due is
  'How many of its reminders have had their time: whoever sends them compares it with what it has sent';
