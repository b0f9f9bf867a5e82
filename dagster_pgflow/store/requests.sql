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
