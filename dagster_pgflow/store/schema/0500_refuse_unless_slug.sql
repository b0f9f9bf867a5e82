create function pgflow.refuse_unless_slug(slug text, meaning text, broken_constraint text)
returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
begin
  if not pgflow.is_valid_slug(slug) then
    raise exception '"%" is not a valid % slug (%): use 1 to 128 letters, digits and underscores, no digit first, and not the reserved word "run".',
      coalesce(slug, 'null'), meaning, broken_constraint
      using
        errcode = 'check_violation',
        constraint = broken_constraint,
        detail = pgflow.problem_code(broken_constraint);
  end if;
end
$$;
