-- old code: works

set local check_function_bodies to off;

CREATE OR REPLACE VIEW pgflow.waiting_requests AS
 WITH under_way AS (
         SELECT request_1.flow_slug,
            request_1.concurrency_key,
            count(*) AS runs
           FROM pgflow.run_requests request_1
          WHERE ((request_1.handed_over_at IS NOT NULL) AND (request_1.refused_at IS NULL) AND (request_1.ended_at IS NULL))
          GROUP BY request_1.flow_slug, request_1.concurrency_key
        )
 SELECT request.run_id,
    request.flow_slug,
    request.concurrency_key,
    request.priority,
    request.created_at,
        CASE
            WHEN (request.handed_over_at IS NOT NULL) THEN 'Dagster was asked to start it'::text
            WHEN request.awaits_key THEN 'its concurrency key is not computed yet'::text
            WHEN (of_flow.runs >= (flow.opt_max_concurrent_runs)::numeric) THEN format('flow "%s" has %s of at most %s under way'::text, flow.flow_slug, of_flow.runs, flow.opt_max_concurrent_runs)
            WHEN (of_key.runs >= flow.opt_max_concurrent_runs_per_key) THEN format('flow "%s" has %s of at most %s under way for the key %s'::text, flow.flow_slug, of_key.runs, flow.opt_max_concurrent_runs_per_key, of_key.concurrency_key)
            ELSE 'it has its turn as soon as somebody takes requests'::text
        END AS waits_for,
    ((request.handed_over_at IS NULL) AND (COALESCE((of_flow.runs >= (flow.opt_max_concurrent_runs)::numeric), false) OR COALESCE((of_key.runs >= flow.opt_max_concurrent_runs_per_key), false))) AS is_held_by_limit
   FROM ((((pgflow.run_requests request
     JOIN pgflow.runs run ON ((run.run_id = request.run_id)))
     LEFT JOIN pgflow.flows flow ON ((flow.flow_slug = request.flow_slug)))
     LEFT JOIN ( SELECT under_way.flow_slug,
            sum(under_way.runs) AS runs
           FROM under_way
          GROUP BY under_way.flow_slug) of_flow ON ((of_flow.flow_slug = request.flow_slug)))
     LEFT JOIN under_way of_key ON (((of_key.flow_slug = request.flow_slug) AND (of_key.concurrency_key = request.concurrency_key))))
  WHERE ((request.refused_at IS NULL) AND (request.ended_at IS NULL) AND (run.status = 'queued'::text) AND (run.dagster_run_id IS NULL));

do $$
begin
  -- Where tenants are isolated, a view shows what its reader may see; a new one forgets that.
  if exists (select from pg_class where oid = 'pgflow.runs'::regclass and relrowsecurity) then
    execute 'alter view pgflow.waiting_requests set (security_invoker = true)';
  end if;
end
$$;
