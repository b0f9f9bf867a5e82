create function pgflow.room_for(
  flow_slug text,
  concurrency_key text,
  out of_flow bigint,
  out of_key bigint
)
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  max_runs integer;
  max_runs_per_key integer;
begin
  -- What holds is what the flow says now, for all of its requests.
  select flow.opt_max_concurrent_runs, flow.opt_max_concurrent_runs_per_key
  into max_runs, max_runs_per_key
  from pgflow.flows as flow
  where flow.flow_slug = room_for.flow_slug;
  if max_runs is not null then
    select max_runs - count(*) into of_flow
    from pgflow.run_requests as request
    where request.flow_slug = room_for.flow_slug
      and request.handed_over_at is not null
      and request.refused_at is null
      and request.ended_at is null;
  end if;
  if max_runs_per_key is not null then
    select max_runs_per_key - count(*) into of_key
    from pgflow.run_requests as request
    where request.flow_slug = room_for.flow_slug
      and request.concurrency_key = room_for.concurrency_key
      and request.handed_over_at is not null
      and request.refused_at is null
      and request.ended_at is null;
  end if;
end
$$;

comment on function pgflow.room_for(text, text) is
  'How many more requests of a flow, and of this key in it, may be taken now; null is any number';
