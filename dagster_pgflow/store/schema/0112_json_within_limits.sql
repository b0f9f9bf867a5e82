create domain pgflow.json_within_limits as jsonb
  constraint json_is_within_limits check (pgflow.json_problem(value) is null);

comment on domain pgflow.json_within_limits is
  'JSON from outside that whoever reads it can read, however it came into its table';
