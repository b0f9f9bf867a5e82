create function pgflow.references_in(template jsonb) returns setof text
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  select wanted.reference
  from jsonb_path_query(template, 'strict $.** ? (@.type() == "string")') as part (value)
  cross join lateral (select part.value #>> '{}' as whole) as text
  cross join lateral (
    select text.whole as reference where text.whole ~ '^\$(?![${])'
    union all
    select btrim(found[1], E' \t\n\r')
    from regexp_matches(text.whole, '\$\{([^}]*)\}', 'g') as found
    where text.whole !~ '^\$(?!\{)'
  ) as wanted
$$;

comment on function pgflow.references_in(jsonb) is
  'The references of a template: texts that begin with $, and what stands in ${...}';
