create function pgflow.keep_to_tenant() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  seen constant text[] := pgflow.seen_tenants();
  own text;
begin
  if '*' = any (seen) then
    return coalesce(new, old);
  end if;
  if tg_op <> 'INSERT' then
    perform pgflow.refuse_foreign_flow(old.flow_slug);
    own := old.tags ->> 'tenant';
  elsif cardinality(seen) = 1 then
    own := seen[1];
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  if own is not null and not new.tags ? 'tenant' then
    new.tags := new.tags || jsonb_build_object('tenant', own);
  end if;
  if coalesce(new.tags ->> 'tenant', '*') <> all (seen) then
    raise exception 'Flow "%" needs the tag "tenant" with a tenant of yours: %.',
      new.flow_slug, coalesce(nullif(array_to_string(seen, ', '), ''), 'you have none')
      using errcode = 'insufficient_privilege';
  end if;
  return new;
end
$$;

create trigger flows_keep_to_their_tenant before insert or update or delete on pgflow.flows
for each row execute function pgflow.keep_to_tenant();

alter table pgflow.flows disable trigger flows_keep_to_their_tenant;
