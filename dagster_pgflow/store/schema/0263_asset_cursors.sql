create table pgflow.asset_cursors (
  asset_key text not null,
  storage_id bigint,
  looked_at timestamptz not null default clock_timestamp(),
  constraint asset_cursors_pkey primary key (asset_key)
);

comment on table pgflow.asset_cursors is 'How far Dagster''s log is read, of each asset that triggers name';
comment on column pgflow.asset_cursors.storage_id is
  'The entry up to which all is noted; null while there is none';
