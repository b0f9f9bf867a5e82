create table pgflow.projection_cursors (
  name text not null,
  position jsonb not null,
  updated_at timestamptz not null default now(),
  constraint projection_cursors_pkey primary key (name)
);

comment on table pgflow.projection_cursors is 'How far each sensor has read, written with what it read';
