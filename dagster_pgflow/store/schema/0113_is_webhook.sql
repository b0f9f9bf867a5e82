create function pgflow.is_webhook(given jsonb) returns boolean
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  select given is null or coalesce(
    jsonb_typeof(given) = 'object'
    and given - array['url', 'secret', 'events', 'allow_private'] = '{}'
    and jsonb_typeof(given -> 'url') = 'string'
    and length(given ->> 'url') <= 2000
    and given ->> 'url' ~ '^https?://[A-Za-z0-9._:\[\]-]+([/?][!-~]*)?$'
    and jsonb_typeof(given -> 'secret') = 'string'
    and given ->> 'secret' ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'
    and jsonb_typeof(coalesce(given -> 'allow_private', 'false')) = 'boolean'
    and case when given ? 'events' then
      jsonb_typeof(given -> 'events') = 'array'
      and given -> 'events' <> '[]'
      and given -> 'events' <@ '["run.completed", "run.failed", "run.cancelled", "run.waiting"]'
    else true end,
    false
  )
$$;

comment on function pgflow.is_webhook(jsonb) is
  'Whether on_event of a flow says where its events go: an address, the name of a secret, events that there are';
