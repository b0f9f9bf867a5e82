create function pgflow.are_asset_keys(templates jsonb) returns boolean
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select count(*) <= 100 and coalesce(bool_and(pgflow.can_be_asset_key(template)), true)
  from jsonb_array_elements_text(templates) as template
$$;

comment on function pgflow.are_asset_keys(jsonb) is
  'Whether all of up to 100 templates can become keys of assets';
