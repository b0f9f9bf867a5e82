create function pgflow.lock_of_continuations(run_id uuid) returns bigint
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  select hashtextextended(lock_of_continuations.run_id::text, 7265706561746564)
$$;

comment on function pgflow.lock_of_continuations(uuid) is
  'The advisory lock that whoever has a run go on holds; its row others write, who must not wait';
