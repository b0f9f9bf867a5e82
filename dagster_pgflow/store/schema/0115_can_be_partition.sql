create function pgflow.can_be_partition(template text) returns boolean
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select length(template) <= 500 and (
    template ~ '^\$(?![${])'
    or regexp_replace(
      regexp_replace(template, '^\$\$', '$'), '\$\{[^}]*\}', 'x', 'g'
    ) ~ '^(?!.*\.\.\.)[^\u0001-\u001f\u007f-\u009f]+$'
  )
$$;

comment on function pgflow.can_be_partition(text) is
  'Whether a template can become the partition of an asset, whatever its values are';
