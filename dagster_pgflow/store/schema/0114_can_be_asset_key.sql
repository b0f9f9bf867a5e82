-- A template of a key: what stands in ${...} becomes text in a run, and one reference any key.
create function pgflow.can_be_asset_key(template text) returns boolean
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select length(template) <= 500 and (
    template ~ '^\$(?![${])'
    or regexp_replace(
      regexp_replace(template, '^\$\$', '$'), '\$\{[^}]*\}', 'x', 'g'
    ) ~ '^[^/\u0001-\u001f\u007f-\u009f]+(/[^/\u0001-\u001f\u007f-\u009f]+)*$'
  )
$$;

comment on function pgflow.can_be_asset_key(text) is
  'Whether a template can become the key of an asset, whatever the values of its references are';
