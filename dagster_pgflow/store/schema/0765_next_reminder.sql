create function pgflow.next_reminder(opened_at timestamptz, reminders integer[], moment timestamptz)
returns timestamptz
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select min(due.at)
  from unnest(reminders) as reminder (seconds)
  cross join lateral (select opened_at + make_interval(secs => reminder.seconds)) as due (at)
  where due.at > moment
$$;

comment on function pgflow.next_reminder(timestamptz, integer[], timestamptz) is
  'When a reminder is due the next time after a moment; null when that was the last';
