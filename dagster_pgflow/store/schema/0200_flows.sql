create table pgflow.flows (
  flow_slug text not null,
  opt_max_attempts integer not null default 3,
  opt_base_delay integer not null default 5,
  opt_timeout integer not null default 60,
  created_at timestamptz not null default now(),
  description text not null default '',
  input_schema pgflow.json_within_limits,
  output_schema pgflow.json_within_limits,
  tags pgflow.json_within_limits not null default '{}',
  opt_max_delay integer not null default 3600,
  opt_jitter text not null default 'none',
  opt_max_concurrent_runs integer,
  opt_concurrency_key text,
  opt_max_concurrent_runs_per_key integer,
  merge_output boolean not null default false,
  opt_timeout_ms integer,
  opt_on_event pgflow.json_within_limits,
  opt_max_recoveries integer not null default 3,
  constraint flows_pkey primary key (flow_slug),
  constraint slug_is_valid check (pgflow.is_valid_slug(flow_slug)),
  constraint opt_max_attempts_is_nonnegative check (opt_max_attempts >= 0),
  constraint opt_base_delay_is_nonnegative check (opt_base_delay >= 0),
  constraint opt_timeout_is_positive check (opt_timeout > 0),
  constraint opt_timeout_ms_is_positive check (opt_timeout_ms > 0),
  constraint a_timeout_is_said_once
    check (opt_timeout_ms is null or opt_timeout in (60, opt_timeout_ms / 1000.0)),
  constraint opt_max_delay_is_nonnegative check (opt_max_delay >= 0),
  constraint jitter_is_valid check (opt_jitter in ('none', 'full', 'plus-minus')),
  constraint opt_max_concurrent_runs_is_positive check (opt_max_concurrent_runs > 0),
  constraint opt_max_concurrent_runs_per_key_is_positive
    check (opt_max_concurrent_runs_per_key > 0),
  constraint opt_max_recoveries_is_nonnegative check (opt_max_recoveries >= 0),
  constraint concurrency_key_is_not_empty check (opt_concurrency_key <> ''),
  constraint a_limit_per_key_has_a_key
    check (opt_max_concurrent_runs_per_key is null or opt_concurrency_key is not null),
  constraint on_event_is_a_webhook check (pgflow.is_webhook(opt_on_event)),
  constraint input_schema_is_object check (jsonb_typeof(input_schema) = 'object'),
  constraint output_schema_is_object check (jsonb_typeof(output_schema) = 'object'),
  constraint tags_are_an_object check (jsonb_typeof(tags) = 'object'),
  constraint tags_are_texts
    check (not jsonb_path_exists(tags, 'strict $.* ? (@.type() != "string")', '{}', true))
);

comment on table pgflow.flows is 'Flows as they stand now; flow_versions keeps how they were';
comment on column pgflow.flows.opt_base_delay is 'Seconds; try n + 1 waits base_delay * 2^n';
comment on column pgflow.flows.opt_max_delay is 'Seconds; no wait between two tries is longer';
comment on column pgflow.flows.opt_jitter is
  'What chance does to a wait: nothing, or it takes part of it (full), or up to twice (plus-minus)';
comment on column pgflow.flows.opt_timeout is 'Seconds that one attempt of a step may take';
comment on column pgflow.flows.opt_timeout_ms is
  'Milliseconds that one attempt of a step may take, in place of opt_timeout';
comment on column pgflow.flows.opt_max_concurrent_runs is
  'How many requested runs of it are under way at most; null is any number';
comment on column pgflow.flows.opt_concurrency_key is
  'CEL over the input; requests that it gives one value for are in line together';
comment on column pgflow.flows.opt_max_concurrent_runs_per_key is
  'How many requested runs of one key are under way at most; null is any number';
comment on column pgflow.flows.opt_max_recoveries is
  'How often a run goes on by itself whose process was lost';
comment on column pgflow.flows.merge_output is
  'Whether a run returns the objects of its final steps laid over each other, and not by their names';
comment on column pgflow.flows.opt_on_event is
  'Where the ends of its runs are told: url, the name of a secret, and perhaps events and allow_private';
