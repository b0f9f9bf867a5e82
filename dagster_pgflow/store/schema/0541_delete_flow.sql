create function pgflow.delete_flow(
  flow_slug text,
  force boolean default false,
  with_runs boolean default false
)
returns pgflow.flows
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  flow pgflow.flows;
  users text;
  runs_under_way bigint;
begin
  perform pgflow.refuse_foreign_flow(delete_flow.flow_slug);
  perform pgflow.lock_flow(delete_flow.flow_slug);
  select existing.* into flow
  from pgflow.flows as existing
  where existing.flow_slug = delete_flow.flow_slug
  for update;
  if not found then
    perform pgflow.refuse_unknown_flow(delete_flow.flow_slug);
  end if;

  select string_agg(distinct format('"%s"', step.flow_slug), ', ') into users
  from pgflow.steps as step
  where step.subflow_slug = flow.flow_slug and step.flow_slug <> flow.flow_slug;
  select count(*) into runs_under_way
  from pgflow.runs as run
  where run.flow_slug = flow.flow_slug and run.status in ('queued', 'started', 'waiting');

  if not coalesce(delete_flow.force, false) then
    if users is not null then
      raise exception 'Flow "%" is a subflow of %; remove those steps first, or delete with force => true.',
        flow.flow_slug, users
        using errcode = 'dependent_objects_still_exist';
    elsif runs_under_way > 0 then
      raise exception 'Flow "%" has % under way; wait for the end, or delete with force => true.',
        flow.flow_slug, case runs_under_way when 1 then '1 run' else runs_under_way || ' runs' end
        using errcode = 'object_in_use';
    end if;
    perform pgflow.refuse_to_lose_triggers(flow.flow_slug);
  end if;

  perform pgflow.refuse_run(
    run.run_id, format('Flow "%s" was deleted before this run began.', flow.flow_slug)
  )
  from pgflow.runs as run
  where run.flow_slug = flow.flow_slug
    and run.status = 'queued'
    and run.dagster_run_id is null;
  if coalesce(delete_flow.with_runs, false) then
    perform pgflow.delete_runs(array(
      select run.run_id from pgflow.runs as run where run.flow_slug = flow.flow_slug
    ));
  end if;
  delete from pgflow.flows as doomed where doomed.flow_slug = flow.flow_slug;
  return flow;
end
$$;

comment on function pgflow.delete_flow(text, boolean, boolean) is
  'Deletes a flow that no other flow and no run needs; force skips the question. Its versions stay, and so do its runs unless with_runs is true';
