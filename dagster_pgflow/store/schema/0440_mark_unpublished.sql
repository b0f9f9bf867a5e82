create function pgflow.mark_unpublished() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  if tg_op <> 'DELETE' then
    insert into pgflow.unpublished_flows values (new.flow_slug) on conflict do nothing;
  end if;
  if tg_op = 'DELETE' or (tg_op = 'UPDATE' and old.flow_slug <> new.flow_slug) then
    insert into pgflow.unpublished_flows values (old.flow_slug) on conflict do nothing;
  end if;
  return null;
end
$$;

create trigger a_change_is_published after insert or update or delete on pgflow.flows
for each row execute function pgflow.mark_unpublished();

create trigger a_change_is_published after insert or update or delete on pgflow.steps
for each row execute function pgflow.mark_unpublished();

create trigger a_change_is_published after insert or update or delete on pgflow.deps
for each row execute function pgflow.mark_unpublished();

create trigger a_change_is_published after insert or update or delete on pgflow.schedules
for each row execute function pgflow.mark_unpublished();
