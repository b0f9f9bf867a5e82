create function pgflow.keep_call(call_id uuid, at timestamptz default clock_timestamp())
returns boolean
language sql
set search_path to pg_catalog, pg_temp
as $$
  with kept as (
    update pgflow.guarded_calls as call
    set expires_at = at + pgflow.call_lease()
    where call.call_id = keep_call.call_id
    returning call.guard
  )
  select exists (select from kept)
$$;

comment on function pgflow.keep_call(uuid, timestamptz) is
  'Says that a call is still under way, so that what it holds stays its own; false when it holds nothing any more';
