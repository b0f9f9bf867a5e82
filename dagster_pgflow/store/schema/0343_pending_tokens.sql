create table pgflow.pending_tokens (
  run_id uuid not null,
  node text not null,
  from_node text not null,
  arrived_at timestamptz not null,
  constraint pending_tokens_pkey primary key (run_id, node, from_node),
  constraint pending_tokens_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade
);

comment on table pgflow.pending_tokens is
  'Tokens at steps with several dependencies that still wait for others; none when the run is over';
