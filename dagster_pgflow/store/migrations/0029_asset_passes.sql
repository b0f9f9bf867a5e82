-- old code: works

set local check_function_bodies to off;

alter table pgflow.asset_cursors drop constraint asset_cursors_pkey;

alter table pgflow.asset_cursors add column log text DEFAULT ''::text NOT NULL;

alter table pgflow.asset_cursors add column begun_at timestamp with time zone;

alter table pgflow.asset_cursors add column read_to bigint;

alter table pgflow.asset_cursors add column mark bigint;

alter table pgflow.asset_cursors add column marked_at timestamp with time zone;

COMMENT ON TABLE pgflow.asset_cursors IS 'How far each log of Dagster is read, of each asset that triggers name';

COMMENT ON COLUMN pgflow.asset_cursors.storage_id IS 'The entry up to which all is noted for good; null while there is none';

COMMENT ON COLUMN pgflow.asset_cursors.log IS 'Which log, since each numbers its entries anew: what the sensor keeps as its cursor in Dagster';

COMMENT ON COLUMN pgflow.asset_cursors.begun_at IS 'When the pass under way began, which reads from what is settled to the end of the log';

COMMENT ON COLUMN pgflow.asset_cursors.read_to IS 'The entry that this pass has come to';

COMMENT ON COLUMN pgflow.asset_cursors.mark IS 'The entry that an earlier pass ended with; a pass that begins a minute later settles it';

COMMENT ON COLUMN pgflow.asset_cursors.marked_at IS 'When that pass ended';

ALTER TABLE ONLY pgflow.asset_cursors
    ADD CONSTRAINT asset_cursors_pkey PRIMARY KEY (asset_key, log);
