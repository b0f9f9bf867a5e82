create function pgflow.run_of_trigger(trigger_id bigint, event_type text, event_source text)
returns uuid
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  select encode(
    substr(
      sha256(convert_to(concat_ws(' ', 'trigger', trigger_id, event_type, event_source), 'UTF8')), 1, 16
    ),
    'hex'
  )::uuid
$$;

comment on function pgflow.run_of_trigger(bigint, text, text) is
  'The id of the run that a trigger starts for an event: always the same one';
