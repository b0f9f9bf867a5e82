create function pgflow.publish_flow(flow_slug text) returns pgflow.flow_versions
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  changed text[];
  waiting text[];
  ready text[];
  slug text;
begin
  perform pgflow.refuse_foreign_flow(publish_flow.flow_slug);
  changed := pgflow.changed_flows(publish_flow.flow_slug);
  if changed = '{}' then
    return pgflow.newest_version(publish_flow.flow_slug);
  end if;

  -- Held until commit: whoever sees a version_id sees all smaller ones too, so that one number
  -- can stand for the whole catalog. It also lets the checks below see what others added.
  perform pgflow.lock_publishing();
  perform pgflow.refuse_subflow_cycle(changed_flow.slug) from unnest(changed) as changed_flow (slug);

  -- Inner flows first: a flow's version names those of the flows that it runs.
  waiting := pgflow.flows_around(changed);
  while waiting <> '{}' loop
    select array_agg(flow.slug order by flow.slug) into ready
    from unnest(waiting) as flow (slug)
    where not exists (
      select
      from pgflow.steps as step
      where step.flow_slug = flow.slug
        and step.subflow_slug = any (waiting)
        and step.subflow_slug <> flow.slug
    );
    exit when ready is null;
    foreach slug in array ready loop
      perform pgflow.publish_version(slug);
      waiting := array_remove(waiting, slug);
    end loop;
  end loop;
  return pgflow.newest_version(publish_flow.flow_slug);
end
$$;

comment on function pgflow.publish_flow(text) is
  'Adds a version of a flow that changed, of all that this transaction changed, and of those that contain one of them; returns the newest';
