create function pgflow.refuse_version_change() returns trigger
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  raise exception 'Versions of flows are never changed or removed; define the flow anew instead.'
    using errcode = 'object_not_in_prerequisite_state';
end
$$;

create trigger versions_are_immutable before update or delete or truncate on pgflow.flow_versions
for each statement execute function pgflow.refuse_version_change();
