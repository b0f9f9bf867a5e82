create function pgflow.as_utc(moment timestamptz) returns text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

comment on function pgflow.as_utc(timestamptz) is 'A time as JSON has it: 2026-01-31T12:00:00.000000Z';
