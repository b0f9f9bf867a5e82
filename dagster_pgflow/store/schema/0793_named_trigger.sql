create function pgflow.named_trigger(name text) returns pgflow.triggers
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  named pgflow.triggers;
begin
  select known.* into named
  from pgflow.triggers as known
  where known.name = named_trigger.name
  for update;
  if not found then
    raise exception 'There is no trigger "%"; look for its name in pgflow.triggers.',
      coalesce(named_trigger.name, 'null')
      using errcode = 'undefined_object', constraint = 'trigger_exists';
  end if;
  perform pgflow.refuse_foreign_flow(named.target_flow);
  return named;
end
$$;

comment on function pgflow.named_trigger(text) is
  'The trigger of a name, held for a change; raises when there is none, or it is another tenant''s';
