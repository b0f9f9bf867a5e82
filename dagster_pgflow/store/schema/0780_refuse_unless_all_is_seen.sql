create function pgflow.refuse_unless_all_is_seen(deed text) returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
begin
  if '*' <> all (pgflow.seen_tenants()) and (
    select isolated.relrowsecurity from pg_class as isolated
    where isolated.oid = 'pgflow.flows'::regclass
  ) then
    raise exception 'Only who sees every tenant may %.', deed
      using errcode = 'insufficient_privilege';
  end if;
end
$$;

comment on function pgflow.refuse_unless_all_is_seen(text) is
  'Raises when tenants are isolated, and the user does not see all of them';
