create function pgflow.create_trigger(
  name text,
  on_event text,
  target_flow text,
  source_flow text default null,
  asset_key text default null,
  signal_name text default null,
  condition text default null,
  input jsonb default null,
  enabled boolean default true
) returns pgflow.triggers
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  made pgflow.triggers;
begin
  perform pgflow.refuse_foreign_flow(create_trigger.target_flow);
  perform pgflow.refuse_beyond_limits(
    create_trigger.input, format('The input of trigger "%s"', create_trigger.name)
  );
  insert into pgflow.triggers (
    name, on_event, target_flow, source_flow, asset_key, signal_name, condition, input, enabled
  )
  values (
    create_trigger.name,
    create_trigger.on_event,
    create_trigger.target_flow,
    create_trigger.source_flow,
    create_trigger.asset_key,
    create_trigger.signal_name,
    create_trigger.condition,
    create_trigger.input,
    coalesce(create_trigger.enabled, true)
  )
  on conflict on constraint triggers_name_key do nothing
  returning * into made;
  if found then
    return made;
  end if;
  select known.* into made
  from pgflow.triggers as known
  where known.name = create_trigger.name
    and (
      known.on_event, known.target_flow, known.source_flow, known.asset_key, known.signal_name,
      known.condition, known.input
    ) is not distinct from (
      create_trigger.on_event, create_trigger.target_flow, create_trigger.source_flow,
      create_trigger.asset_key, create_trigger.signal_name, create_trigger.condition,
      nullif(create_trigger.input, 'null')
    );
  if not found then
    raise exception 'Trigger "%" already exists and is another one; delete it first, or take another name.',
      create_trigger.name
      using
        errcode = 'unique_violation',
        constraint = 'triggers_name_key',
        detail = pgflow.problem_code('triggers_name_key');
  end if;
  return made;
end
$$;

comment on function pgflow.create_trigger(text, text, text, text, text, text, text, jsonb, boolean) is
  'Has a flow started by what happens; returns the trigger, the one that exists where it is the same';
