create function pgflow.asked_hash(input jsonb) returns text
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select encode(sha256(convert_to(input::text, 'UTF8')), 'hex')
$$;

comment on function pgflow.asked_hash(jsonb) is
  'What tells the inputs of requests apart; null where no input was given';
