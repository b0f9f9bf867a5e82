create function pgflow.settle_settings() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  new.settings := pgflow.settled(new.settings, new.step_type);
  perform pgflow.refuse_bad_settings(
    new.flow_slug, new.step_slug, new.step_type, new.settings
  );
  return new;
end
$$;

create trigger steps_have_settings_of_their_kind
before insert or update of step_type, settings on pgflow.steps
for each row execute function pgflow.settle_settings();
