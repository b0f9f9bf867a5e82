-- A payload of NOTIFY has less than 8000 bytes, and a character takes up to six of them in JSON.
create function pgflow.event_text(
  run_id uuid, flow_slug text, step_path text, status text, at timestamptz
) returns text
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select json_strip_nulls(json_build_object(
    'run', run_id,
    'flow', left(flow_slug, 128),
    'step', case when length(step_path) > 1000 then left(step_path, 997) || '...' else step_path end,
    'status', left(status, 16),
    'at', pgflow.as_utc(at)
  ))::text
$$;

comment on function pgflow.event_text(uuid, text, text, text, timestamptz) is
  'What is notified of a run, or with a path of a step: no data, and never too long';
