create function pgflow.refuse_bad_tags() returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  found record;
begin
  select * into found from pgflow.tag_problem(new.tags);
  if found.problem is not null then
    raise exception 'Flow "%" %.', new.flow_slug, found.problem
      using
        errcode = 'check_violation',
        constraint = found.broken_constraint,
        detail = pgflow.problem_code(found.broken_constraint);
  end if;
  return new;
end
$$;

create trigger tags_reach_nothing_else before insert or update of tags on pgflow.flows
for each row when (new.tags <> '{}') execute function pgflow.refuse_bad_tags();
