create table pgflow.asset_cursors (
  asset_key text not null,
  storage_id bigint,
  looked_at timestamptz not null default clock_timestamp(),
  log text not null default '',
  begun_at timestamptz,
  read_to bigint,
  mark bigint,
  marked_at timestamptz,
  constraint asset_cursors_pkey primary key (asset_key, log)
);

comment on table pgflow.asset_cursors is
  'How far each log of Dagster is read, of each asset that triggers name';
comment on column pgflow.asset_cursors.storage_id is
  'The entry up to which all is noted for good; null while there is none';
comment on column pgflow.asset_cursors.log is
  'Which log, since each numbers its entries anew: what the sensor keeps as its cursor in Dagster';
comment on column pgflow.asset_cursors.begun_at is
  'When the pass under way began, which reads from what is settled to the end of the log';
comment on column pgflow.asset_cursors.read_to is 'The entry that this pass has come to';
comment on column pgflow.asset_cursors.mark is
  'The entry that an earlier pass ended with; a pass that begins a minute later settles it';
comment on column pgflow.asset_cursors.marked_at is 'When that pass ended';
