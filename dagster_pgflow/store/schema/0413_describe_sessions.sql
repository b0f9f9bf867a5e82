create function pgflow.describe_sessions(pids integer[]) returns text
language sql
stable
security definer
set search_path to pg_catalog, pg_temp
as $$
  select string_agg(
    format(
      'process %s (%s, transaction open since %s)',
      session.pid,
      coalesce(nullif(session.application_name, ''), 'no application_name'),
      coalesce(to_char(session.xact_start, 'HH24:MI:SS'), 'it is not known when')
    ),
    ', ' order by session.pid
  )
  from pg_stat_activity as session
  where session.pid = any (describe_sessions.pids)
$$;

comment on function pgflow.describe_sessions(integer[]) is
  'Which sessions these are, for people: process, program, and since when their transaction is open';
