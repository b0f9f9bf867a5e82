create function pgflow.each_once(slugs text[]) returns text[]
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(array_agg(first.slug order by first.position), '{}')
  from (
    select given.slug, min(given.position) as position
    from unnest(slugs) with ordinality as given (slug, position)
    group by given.slug
  ) as first
$$;

comment on function pgflow.each_once(text[]) is
  'The same slugs in the same order, each once; none for null';
