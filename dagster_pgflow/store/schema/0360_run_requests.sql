create table pgflow.run_requests (
  run_id uuid not null,
  flow_slug text not null,
  version_id bigint not null,
  input pgflow.json_within_limits not null,
  asked_hash text,
  created_at timestamptz not null default now(),
  handed_over_at timestamptz,
  refused_at timestamptz,
  refused_reason text,
  needs_queue boolean not null default false,
  priority integer not null default 0,
  tenant text collate "C" not null default '',
  concurrency_key text collate "C" not null default '',
  awaits_key boolean not null default false,
  turn bigint,
  ended_at timestamptz,
  trigger_depth integer not null default 0,
  triggered_by text,
  handed_over_to text,
  constraint run_requests_pkey primary key (run_id),
  constraint a_refusal_has_a_reason check ((refused_at is null) = (refused_reason is null))
);

-- Groups of requests that wait, each in the order of its line: whoever takes one steps from group to
-- group, however many requests these have.
create index run_requests_in_line on pgflow.run_requests (
  needs_queue, tenant, priority, flow_slug, concurrency_key, created_at, run_id
)
where handed_over_at is null and refused_at is null and ended_at is null;

create index run_requests_under_way on pgflow.run_requests (flow_slug, concurrency_key)
where handed_over_at is not null and refused_at is null and ended_at is null;

create index run_requests_without_key on pgflow.run_requests (flow_slug, created_at, run_id)
where awaits_key and refused_at is null;

create index run_requests_by_turn on pgflow.run_requests (turn desc nulls last);

create index run_requests_by_turn_of_tenant on pgflow.run_requests (tenant, turn desc nulls last);

comment on table pgflow.run_requests is 'What start_flow was asked to start';
comment on column pgflow.run_requests.input is
  'What was asked for, laid over the defaults of the input schema';
comment on column pgflow.run_requests.asked_hash is
  'The hash of what was asked for, to know the same request again; null where no input was given';
comment on column pgflow.run_requests.handed_over_at is
  'When a sensor last gave it to Dagster; it counts as started only once Dagster has a run of it';
comment on column pgflow.run_requests.version_id is
  'The newest version among the flow and the flows that it contains: a catalog watermark';
comment on column pgflow.run_requests.needs_queue is
  'Whether only Dagster''s queue may start it, since a limit of the deployment holds for its run';
comment on column pgflow.run_requests.priority is 'Of one tenant, or of the flows that have none, those of a higher one are taken first';
comment on column pgflow.run_requests.tenant is
  'The tag "tenant" that the flow had when the run was asked for, as far as turns need it';
comment on column pgflow.run_requests.concurrency_key is
  'What the flow''s concurrency key gives for the input, as JSON; empty where the flow has none';
comment on column pgflow.run_requests.awaits_key is
  'Whether its key is still to be computed, by whoever takes requests';
comment on column pgflow.run_requests.turn is
  'Counts the requests of all flows as they are taken, whatever the clock says; null while it waits';
comment on column pgflow.run_requests.ended_at is
  'When its run was seen to be over; until then a request that is taken holds a place';
comment on column pgflow.run_requests.trigger_depth is
  'How many triggers led to it, each by the run before; 0 where nobody but a caller asked';
comment on column pgflow.run_requests.triggered_by is
  'The name of the trigger that asked for it; null where a caller did';
comment on column pgflow.run_requests.handed_over_to is
  'Which Dagster it was last given to, as in dagster_logs; null where nobody has said it';
