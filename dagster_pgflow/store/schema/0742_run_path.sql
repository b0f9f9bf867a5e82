create function pgflow.run_path(run_id uuid)
returns table (
  from_node text,
  to_node text,
  taken_at timestamptz,
  sequence_num integer,
  after text,
  label text
)
language sql
stable
set search_path to pg_catalog, pg_temp
as $$
  select
    event.event_data ->> 'from_node',
    event.event_data ->> 'to_node',
    event.timestamp,
    event.sequence_num,
    event.event_data ->> 'status',
    event.event_data ->> 'label'
  from pgflow.event_log as event
  where event.run_id = run_path.run_id
    and event.event_type = 'token.emitted'
    -- What was cancelled led nowhere.
    and event.event_data ->> 'status' is distinct from 'cancelled'
  order by event.sequence_num
$$;

comment on function pgflow.run_path(uuid) is
  'The edges that a run took, in order: from null at its begin, to null at its end';
