-- A schema that was just made has the row already that a dump of another one's data brings along.
create function pgflow.keep_one_row() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  if tg_table_name = 'store' then
    update pgflow.store
    set store_id = new.store_id,
      created_at = new.created_at,
      allowed_tags = new.allowed_tags;
  else
    perform from pgflow.migrations as migration where migration.version = new.version;
  end if;
  return case when found then null else new end;
end
$$;

create trigger a_dump_brings_its_identity before insert on pgflow.store
for each row execute function pgflow.keep_one_row();

create trigger a_dump_brings_nothing_new before insert on pgflow.migrations
for each row execute function pgflow.keep_one_row();
