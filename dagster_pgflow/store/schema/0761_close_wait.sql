create function pgflow.close_wait(
  wait_id bigint,
  status text,
  answer jsonb default null,
  answered_by text default null
) returns pgflow.waits
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  closed pgflow.waits;
begin
  update pgflow.waits as wait
  set
    status = close_wait.status,
    answer = close_wait.answer,
    answered_by = close_wait.answered_by,
    closed_at = clock_timestamp()
  where wait.wait_id = close_wait.wait_id
  returning wait.* into closed;
  perform pg_notify('pgflow_runs', closed.run_id::text);
  return closed;
end
$$;

comment on function pgflow.close_wait(bigint, text, jsonb, text) is
  'Ends a wait that the transaction holds, and has those look who go on with runs';
