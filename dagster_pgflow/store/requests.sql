-- name: take_back_request
-- Cancel a run that Dagster has not begun; whether it was so.
with taken_back as (
  update pgflow.run_requests as request
  set refused_at = now(), refused_reason = cast(:reason as text)
  where request.run_id = cast(:run_id as uuid)
    and request.refused_at is null
    and (request.handed_over_at is null or :although_handed_over)
  returning request.run_id
)
update pgflow.runs as run
set
  status = 'cancelled',
  error_message = cast(:reason as text),
  failed_at = now(),
  updated_at = now()
from taken_back
where run.run_id = taken_back.run_id and run.status = 'queued' and run.dagster_run_id is null
returning true;

-- name: fetch_requests_without_key
-- Requests of a flow whose concurrency key is to be computed, the oldest first, held until that is
-- done: no more than have inputs of so many bytes in all, as they are stored.
select
  request.run_id,
  cast(request.input as text) as input,
  (
    select flow.opt_concurrency_key from pgflow.flows as flow where flow.flow_slug = :flow_slug
  ) as expression
from pgflow.run_requests as request
where request.run_id in (
    select listed.run_id
    from (
      select
        oldest.run_id,
        sum(oldest.size) over (order by oldest.created_at, oldest.run_id) - oldest.size as before
      from (
        select waiting.run_id, waiting.created_at, pg_column_size(waiting.input) as size
        from pgflow.run_requests as waiting
        where waiting.flow_slug = :flow_slug and waiting.awaits_key and waiting.refused_at is null
        order by waiting.created_at, waiting.run_id
        limit :limit
      ) as oldest
    ) as listed
    where listed.before < :most_bytes
  )
  and request.awaits_key
  and request.refused_at is null
order by request.created_at, request.run_id
for update of request;

-- name: put_concurrency_keys
-- Put requests in the lines of their keys.
update pgflow.run_requests as request
set concurrency_key = given.concurrency_key, awaits_key = false
from unnest(
  cast(:run_ids as uuid[]), cast(:concurrency_keys as text[])
) as given (run_id, concurrency_key)
where request.run_id = given.run_id;
