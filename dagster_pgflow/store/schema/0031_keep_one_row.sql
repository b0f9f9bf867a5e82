-- A schema that was just made has the row already that a dump of another one's data brings along.
create function pgflow.keep_one_row() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  there text;
begin
  if tg_table_name = 'store' then
    update pgflow.store
    set store_id = new.store_id,
      created_at = new.created_at,
      allowed_tags = new.allowed_tags,
      pruned_before = new.pruned_before;
  else
    select migration.checksum into there
    from pgflow.migrations as migration
    where migration.version = new.version;
    if there <> new.checksum then
      raise exception 'Migration % (%) of this data was another one than that of this schema; restore it into a schema that the same version of dagster_pgflow made.',
        new.version, new.name
        using errcode = 'object_not_in_prerequisite_state';
    end if;
  end if;
  return case when found then null else new end;
end
$$;

create trigger a_dump_brings_its_identity before insert on pgflow.store
for each row execute function pgflow.keep_one_row();

create trigger a_dump_brings_nothing_new before insert on pgflow.migrations
for each row execute function pgflow.keep_one_row();
