create function pgflow.warn_of_circle() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  if pgflow.closes_circle(new) then
    raise warning 'Trigger "%" closes a circle: what it starts leads back to it, without any condition. It ends after 100 runs; give one of these triggers a condition.',
      new.name;
  end if;
  return null;
end
$$;

comment on function pgflow.warn_of_circle() is 'Warns of triggers that start each other for ever';

create trigger circles_of_triggers_are_told after insert or update on pgflow.triggers
for each row execute function pgflow.warn_of_circle();
