create function pgflow.leave_call(
  tenant text,
  guards jsonb,
  call_id uuid,
  outcome text,
  round integer default null,
  at timestamptz default clock_timestamp()
) returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  was_trying boolean;
begin
  with gone as (
    delete from pgflow.guarded_calls as call
    where call.call_id = leave_call.call_id
    returning call.guard
  )
  select coalesce(bool_or(gone.guard = 'circuit_breaker'), false) into was_trying from gone;
  if guards ? 'circuit_breaker' and outcome in ('succeeded', 'failed') then
    perform pgflow.note_outcome(
      leave_call.tenant, guards -> 'circuit_breaker', outcome = 'failed', leave_call.round,
      was_trying, at
    );
  end if;
end
$$;

comment on function pgflow.leave_call(text, jsonb, uuid, text, integer, timestamptz) is
  'Frees what a call held, and notes what it came to: succeeded, failed, or nothing that says anything of the service';
