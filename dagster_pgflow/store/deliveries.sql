-- name: claim_deliveries
-- Take deliveries that are due, for a minute.
select delivery_id, flow_slug, event, url, secret_name, allow_private, body, attempts
from pgflow.claim_deliveries(:most);

-- name: note_delivery
-- Note what came of an attempt.
select pgflow.note_delivery(
  cast(:delivery_id as uuid), :attempt, cast(:answer as integer), cast(:error_message as text)
);

-- name: fetch_delivery_troubles
-- How the webhooks of flows are doing that cannot be told what they shall be.
select
  delivery.flow_slug,
  count(*) filter (where delivery.status = 'pending') as waiting,
  count(*) filter (where delivery.status = 'given_up') as given_up,
  (array_agg(delivery.error_message order by delivery.due_at desc, delivery.delivery_id)
    filter (where delivery.error_message is not null))[1] as error_message
from pgflow.webhook_deliveries as delivery
where (delivery.status = 'pending' and delivery.attempts > 0 and delivery.error_message is not null)
  or (delivery.status = 'pending' and delivery.due_at < clock_timestamp() - interval '1 minute')
  or (delivery.status = 'given_up' and delivery.ended_at > clock_timestamp() - interval '1 day')
group by delivery.flow_slug
order by delivery.flow_slug
limit 20;

-- name: fetch_deliveries_of_run
-- What the webhook of a run's flow was told.
select event, status, attempts, answer, error_message, due_at, ended_at
from pgflow.webhook_deliveries
where run_id = cast(:run_id as uuid)
order by created_at, event;
