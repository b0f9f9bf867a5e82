create table pgflow.applied_keys (
  run_id uuid not null,
  op_key text not null,
  delta integer not null,
  applied_at timestamptz not null,
  sequence_num integer not null,
  constraint applied_keys_pkey primary key (run_id, op_key),
  constraint applied_keys_run_id_fkey foreign key (run_id)
    references pgflow.runs (run_id) on delete cascade,
  constraint a_change_is_not_zero check (delta <> 0)
);

comment on table pgflow.applied_keys is
  'One row for each change of a run''s token counter: the same change applied twice changes nothing';
comment on column pgflow.applied_keys.op_key is
  'What happened, on which edge or at which step, and in which attempt, such as emit:a>b#1';
comment on column pgflow.applied_keys.sequence_num is 'The event that the change belongs to';
