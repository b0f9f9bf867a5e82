-- name: enter_call
-- Take a call past guards.
select pgflow.enter_call(:tenant, cast(:guards as jsonb), cast(:call_id as uuid), :holder);

-- name: leave_call
-- Free what a call held, and note what it came to.
select pgflow.leave_call(
  :tenant, cast(:guards as jsonb), cast(:call_id as uuid), :outcome, cast(:round as integer)
);

-- name: keep_call
-- Say that a call is still under way.
select pgflow.keep_call(cast(:call_id as uuid));
