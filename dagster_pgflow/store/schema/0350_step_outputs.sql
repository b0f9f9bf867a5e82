create table pgflow.step_outputs (
  dagster_run_id uuid not null,
  step_key text not null,
  output_name text not null,
  mapping_key text not null default '',
  value json,
  location text,
  size_bytes bigint not null,
  created_at timestamptz not null default now(),
  constraint step_outputs_pkey primary key (dagster_run_id, step_key, output_name, mapping_key),
  constraint value_is_here_or_elsewhere check ((value is null) <> (location is null)),
  constraint size_bytes_is_nonnegative check (size_bytes >= 0)
);

comment on table pgflow.step_outputs is 'The values that steps hand to each other';
comment on column pgflow.step_outputs.value is
  'The value to the letter, hence json: jsonb would reorder keys and refuse \u0000';
comment on column pgflow.step_outputs.location is 'Where a value lies that is too large for a row';
