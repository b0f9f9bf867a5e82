-- The same rule as dagster_pgflow.names.is_valid_slug; a test compares the two.
create function pgflow.is_valid_slug(slug text) returns boolean
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select slug is not null
    and slug <> 'run'
    and slug collate "C" ~ '^[a-zA-Z_][a-zA-Z0-9_]{0,127}$'
$$;

comment on function pgflow.is_valid_slug(text) is
  'Whether a text can name a flow, a step or a schedule: 1 to 128 letters, digits and underscores, no digit first, not "run"';
