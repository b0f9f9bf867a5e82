create function pgflow.check_trigger() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  target pgflow.flows;
  source pgflow.flows;
begin
  if tg_op = 'UPDATE' then
    perform pgflow.refuse_foreign_flow(old.target_flow);
  end if;
  perform pgflow.refuse_unless_slug(new.name, 'trigger', 'trigger_name_is_valid');
  perform pgflow.refuse_foreign_flow(new.target_flow);
  perform pgflow.refuse_foreign_flow(new.source_flow);
  select flow.* into target from pgflow.flows as flow where flow.flow_slug = new.target_flow;
  if not found then
    perform pgflow.refuse_unknown_flow(new.target_flow, 'triggers_target_flow_fkey');
  end if;
  if new.source_flow is not null then
    select flow.* into source from pgflow.flows as flow where flow.flow_slug = new.source_flow;
    if not found then
      perform pgflow.refuse_unknown_flow(new.source_flow, 'triggers_source_flow_fkey');
    elsif source.tags ->> 'tenant' is distinct from target.tags ->> 'tenant' then
      raise exception 'Trigger "%" leads from flow "%" to flow "%" of another tenant; a trigger stays within one.',
        new.name, new.source_flow, new.target_flow
        using errcode = 'insufficient_privilege';
    elsif new.source_flow = new.target_flow and new.condition is null then
      raise exception 'Trigger "%" lets flow "%" start itself again and again; give it a condition that some day does not hold.',
        new.name, new.target_flow
        using
          errcode = 'check_violation',
          constraint = 'no_flow_starts_itself_for_ever',
          detail = pgflow.problem_code('no_flow_starts_itself_for_ever');
    end if;
  end if;
  -- Assets are Dagster's, and of no tenant.
  if new.on_event = 'asset.materialized' then
    perform pgflow.refuse_unless_all_is_seen('look at assets');
  end if;
  new.input := nullif(new.input::jsonb, 'null');
  new.active_since := clock_timestamp();
  if tg_op = 'UPDATE' then
    if
      (old.on_event, old.source_flow, old.asset_key, old.signal_name, old.target_flow)
        is not distinct from
        (new.on_event, new.source_flow, new.asset_key, new.signal_name, new.target_flow)
      and (old.enabled or not new.enabled)
    then
      new.active_since := old.active_since;
    end if;
  end if;
  return new;
end
$$;

comment on function pgflow.check_trigger() is
  'Refuses a trigger between tenants, to nowhere, or of a flow by itself without a condition';

create trigger triggers_are_checked before insert or update on pgflow.triggers
for each row execute function pgflow.check_trigger();
