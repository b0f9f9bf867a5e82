create function pgflow.refuse_foreign_subflow() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  perform pgflow.refuse_foreign_flow(new.flow_slug);
  perform pgflow.refuse_foreign_flow(new.subflow_slug);
  return new;
end
$$;

create trigger subflows_are_of_a_tenant_that_one_sees before insert or update on pgflow.steps
for each row execute function pgflow.refuse_foreign_subflow();

alter table pgflow.steps disable trigger subflows_are_of_a_tenant_that_one_sees;
