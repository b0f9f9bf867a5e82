-- A step that begins to wait and a signal that is sent must not miss each other: whoever comes
-- second sees what the first has written.
create function pgflow.lock_signals(name text, key text) returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  if key is null then
    perform pg_advisory_xact_lock(hashtextextended(name, 7369676));
  else
    perform pg_advisory_xact_lock_shared(hashtextextended(name, 7369676));
    perform pg_advisory_xact_lock(hashtextextended(name || ' ' || key, 7369676));
  end if;
end
$$;

comment on function pgflow.lock_signals(text, text) is
  'Holds back, until the transaction ends, others who send or await signals of this name and key';
