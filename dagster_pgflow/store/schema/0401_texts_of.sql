-- A building block of definitions: a list of texts as an array, an empty one where there is none.
create function pgflow.texts_of(list jsonb) returns text[]
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select coalesce(array_agg(part.text order by part.position), '{}')
  from jsonb_array_elements_text(nullif(list, 'null')) with ordinality as part (text, position)
$$;
