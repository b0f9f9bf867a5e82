create function pgflow.events_are_told() returns boolean
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  -- A queue that is full, since a listener sleeps within a transaction, would fail whoever commits.
  select pg_notification_queue_usage() < 0.5 and coalesce(
    store.tells_events,
    not (select runs.relrowsecurity from pg_class as runs where runs.oid = 'pgflow.runs'::regclass)
  )
  from pgflow.store as store
$$;

comment on function pgflow.events_are_told() is
  'Whether changes of runs and steps are notified at this moment; tell_events() says whether they shall be';
