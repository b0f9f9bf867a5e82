create table pgflow.bulkheads (
  tenant text not null default '',
  key text not null,
  max_concurrent integer not null,
  constraint bulkheads_pkey primary key (tenant, key)
);

comment on table pgflow.bulkheads is
  'The row that calls past a bulkhead lock while they look for a slot; v_bulkheads says how many there are';
comment on column pgflow.bulkheads.max_concurrent is
  'How many calls may be under way at once, as the step said that took the last slot';
