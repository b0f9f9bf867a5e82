create function pgflow.refuse_bad_tags() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  problem constant text := pgflow.tag_problem(new.tags);
begin
  if problem is not null then
    raise exception 'Flow "%" %.', new.flow_slug, problem
      using errcode = 'check_violation', constraint = 'tags_reach_nothing_else';
  end if;
  return new;
end
$$;

create trigger tags_reach_nothing_else before insert or update of tags on pgflow.flows
for each row when (new.tags <> '{}') execute function pgflow.refuse_bad_tags();
