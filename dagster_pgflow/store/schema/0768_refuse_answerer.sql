create function pgflow.refuse_answerer(wait pgflow.waits, answered_by text, acting_as text)
returns void
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
begin
  if length(answered_by) > 200 then
    raise exception 'The name of who answers has % characters; it has at most 200.', length(answered_by)
      using errcode = 'invalid_parameter_value';
  end if;
  if wait.answerers = '{}'
    or answered_by = any (wait.answerers)
    or acting_as = any (wait.answerers)
    or exists (
      select
      from pg_roles as allowed
      join pg_roles as caller on caller.rolname = pgflow.name_of_caller()
      where allowed.rolname = any (wait.answerers)
        and pg_has_role(caller.oid, allowed.oid, 'usage')
    )
  then
    return;
  end if;
  raise exception 'Step "%" of run % may be answered by %, and "%" is none of them.',
    wait.step_path, wait.run_id, array_to_string(wait.answerers, ', '),
    coalesce(acting_as, answered_by)
    using errcode = 'invalid_parameter_value', constraint = 'only_answerers_answer';
end
$$;

comment on function pgflow.refuse_answerer(pgflow.waits, text, text) is
  'Raises when a step says who may answer it, and this is somebody else';
