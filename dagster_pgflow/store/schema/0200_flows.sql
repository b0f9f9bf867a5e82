create table pgflow.flows (
  flow_slug text not null,
  opt_max_attempts integer not null default 3,
  opt_base_delay integer not null default 5,
  opt_timeout integer not null default 60,
  created_at timestamptz not null default now(),
  description text not null default '',
  input_schema jsonb,
  output_schema jsonb,
  tags jsonb not null default '{}',
  constraint flows_pkey primary key (flow_slug),
  constraint slug_is_valid check (pgflow.is_valid_slug(flow_slug)),
  constraint opt_max_attempts_is_nonnegative check (opt_max_attempts >= 0),
  constraint opt_base_delay_is_nonnegative check (opt_base_delay >= 0),
  constraint opt_timeout_is_positive check (opt_timeout > 0),
  constraint input_schema_is_object check (jsonb_typeof(input_schema) = 'object'),
  constraint output_schema_is_object check (jsonb_typeof(output_schema) = 'object'),
  constraint tags_are_an_object check (jsonb_typeof(tags) = 'object')
);

comment on table pgflow.flows is 'Flows as they stand now; flow_versions keeps how they were';
comment on column pgflow.flows.opt_base_delay is 'Seconds; try n + 1 waits base_delay * 2^n';
comment on column pgflow.flows.opt_timeout is 'Seconds that one attempt of a step may take';
