-- A Dagster that is there looks for runs every few seconds. One that has not for an hour is taken for
-- gone, with its runs: somebody has to end them.
create function pgflow.other_logs(own_log text) returns text[]
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(array_agg(other.log), '{}')
  from pgflow.dagster_logs as other
  where other.log <> own_log and other.seen_at > clock_timestamp() - interval '1 hour'
$$;

comment on function pgflow.other_logs(text) is
  'The Dagsters that are there beside one; what they have under way is left to them';
