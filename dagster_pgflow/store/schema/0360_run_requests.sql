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
  constraint run_requests_pkey primary key (run_id),
  constraint a_refusal_has_a_reason check ((refused_at is null) = (refused_reason is null))
);

comment on table pgflow.run_requests is 'What start_flow was asked to start';
comment on column pgflow.run_requests.input is
  'What was asked for, laid over the defaults of the input schema';
comment on column pgflow.run_requests.asked_hash is
  'The hash of what was asked for, to know the same request again; null where no input was given';
comment on column pgflow.run_requests.handed_over_at is
  'When a sensor last gave it to Dagster; it counts as started only once Dagster has a run of it';
comment on column pgflow.run_requests.version_id is
  'The newest version among the flow and the flows that it contains: a catalog watermark';
