-- name: fetch_has_migrations
-- Whether the schema was ever made.
select to_regclass('pgflow.migrations') is not null;

-- name: lock_migrations
-- Wait for other migrators and keep them out until commit.
select pg_advisory_xact_lock(hashtextextended('pgflow.migrations', 0));

-- name: fetch_foreign_objects
-- What a schema of our name holds that no migrator of ours made.
select count(*)
from pg_catalog.pg_class as relation
where relation.relnamespace = to_regnamespace('pgflow');

-- name: record_migration
-- Note that a migration is applied.
insert into pgflow.migrations (version, name) values (:version, :name);

-- name: make_roles
-- Make the roles of the schema, and return their names.
select role_name from pgflow.make_roles(cast(:prefix as text)) as role_name;

-- name: fetch_applied_version
-- The newest migration that the database has; null when it has none.
select max(version) from pgflow.migrations;

-- name: fetch_flow_definition
-- A flow as it stands now, as JSON; null when there is none.
select cast(pgflow.flow_definition(:flow_slug) as text);

-- name: fetch_flow_version
-- One version of a flow, null where there is none, and the number of the newest.
select
  max(flow_version.version) as newest,
  (
    select cast(wanted.definition as text)
    from pgflow.flow_versions as wanted
    where wanted.flow_slug = :flow_slug and wanted.version = cast(:version as bigint)
  ) as definition
from pgflow.flow_versions as flow_version
where flow_version.flow_slug = :flow_slug;

-- name: fetch_flow_summaries
-- Every flow with its version and size.
select
  flow.flow_slug as slug,
  flow.description,
  newest.version,
  newest.version_id,
  (select count(*) from pgflow.steps as step where step.flow_slug = flow.flow_slug) as steps,
  flow.created_at,
  newest.created_at as changed_at
from pgflow.flows as flow
cross join lateral pgflow.newest_version(flow.flow_slug) as newest
order by flow.flow_slug collate "C";

-- name: create_flow
-- Create a flow, or find it.
select flow_slug
from pgflow.create_flow(
  cast(:flow_slug as text),
  cast(:max_attempts as integer),
  cast(:base_delay as integer),
  cast(:timeout as integer),
  max_delay => cast(:max_delay as integer),
  jitter => cast(:jitter as text),
  description => cast(:description as text),
  tags => cast(:tags as jsonb),
  input_schema => cast(:input_schema as jsonb),
  output_schema => cast(:output_schema as jsonb)
);

-- name: add_step
-- Add a step, or find the equal one.
select step_slug
from pgflow.add_step(
  flow_slug => cast(:flow_slug as text),
  step_slug => cast(:step_slug as text),
  deps_slugs => cast(:deps_slugs as text[]),
  max_attempts => cast(:max_attempts as integer),
  base_delay => cast(:base_delay as integer),
  timeout => cast(:timeout as integer),
  start_delay => cast(:start_delay as integer),
  step_type => cast(:step_type as text),
  required_input_pattern => cast(:required_input_pattern as jsonb),
  forbidden_input_pattern => cast(:forbidden_input_pattern as jsonb),
  when_unmet => cast(:when_unmet as text),
  when_exhausted => cast(:when_exhausted as text),
  handler => cast(:handler as text),
  params => cast(:params as jsonb),
  description => cast(:description as text),
  subflow_slug => cast(:subflow_slug as text),
  batch_size => cast(:batch_size as integer),
  input_schema => cast(:input_schema as jsonb),
  output_schema => cast(:output_schema as jsonb),
  run_if => cast(:run_if as text),
  run_unless => cast(:run_unless as text),
  max_delay => cast(:max_delay as integer),
  jitter => cast(:jitter as text),
  collect_errors => cast(:collect_errors as boolean),
  pipelined => cast(:pipelined as boolean),
  max_failures => cast(:max_failures as integer),
  max_failures_percent => cast(:max_failures_percent as integer),
  pool => cast(:pool as text),
  subflow_input => cast(:subflow_input as jsonb),
  subflow_output => cast(:subflow_output as jsonb),
  on_failure => cast(:on_failure as text),
  over => cast(:over as text),
  mode => cast(:mode as text),
  rules => cast(:rules as jsonb),
  default_path => cast(:default_path as text[]),
  wait => cast(:wait as text),
  back_to => cast(:back_to as text),
  condition => cast(:condition as text),
  max_iterations => cast(:max_iterations as integer),
  break_path => cast(:break_path as text[]),
  timeout_path => cast(:timeout_path as text[])
);

-- name: replace_flow
-- Store a whole definition.
select pgflow.replace_flow(cast(:definition as jsonb));

-- name: publish_flow
-- Publish a flow if it changed, and return the number of its version.
select version from pgflow.publish_flow(cast(:flow_slug as text));

-- name: delete_flow
-- Delete a flow.
select flow_slug from pgflow.delete_flow(
  cast(:flow_slug as text), force => :force, with_runs => :with_runs
);

-- name: fetch_store_id
-- What tells this store from others.
select store_id from pgflow.store;

-- name: fetch_watermark
-- The newest version of any flow; 0 while there is none.
select coalesce(max(version_id), 0) from pgflow.flow_versions;

-- name: allow_tags
-- Note the keys of tags that the code location lets out.
update pgflow.store set allowed_tags = cast(:patterns as text[])
where allowed_tags <> cast(:patterns as text[]);

-- name: fetch_heads
-- The version of each flow that was live at a watermark.
select flow_slug, version, version_id
from (
  select distinct on (flow_slug) flow_slug, version, version_id, content_hash
  from pgflow.flow_versions
  where version_id <= :watermark
  order by flow_slug, version_id desc
) as newest
where content_hash is not null
order by flow_slug collate "C";

-- name: fetch_tree
-- A flow and every flow that it contains, as of a watermark.
with recursive contained as (
  select head.flow_slug, head.version, head.version_id, head.definition, head.subflow_versions
  from (select cast(:flow_slug as text) as slug) as wanted
  cross join lateral (
    select flow_version.*
    from pgflow.flow_versions as flow_version
    where flow_version.flow_slug = wanted.slug and flow_version.version_id <= :watermark
    order by flow_version.version_id desc
    limit 1
  ) as head
  where head.definition is not null
  union
  select head.flow_slug, head.version, head.version_id, head.definition, head.subflow_versions
  from contained
  cross join lateral (
    select distinct step.definition ->> 'flow' as slug
    from jsonb_path_query(contained.definition, 'lax $.steps[*]') as step (definition)
    where step.definition ->> 'type' = 'subflow'
  ) as wanted
  cross join lateral (
    select flow_version.*
    from pgflow.flow_versions as flow_version
    where flow_version.flow_slug = wanted.slug and flow_version.version_id <= :watermark
    order by flow_version.version_id desc
    limit 1
  ) as head
  where head.definition is not null
)
select flow_slug, version, version_id, cast(definition as text) as definition, subflow_versions
from contained;

-- name: fetch_flows
-- Every flow that was live at a watermark.
select flow_slug, version, version_id, cast(definition as text) as definition, subflow_versions
from (
  select distinct on (flow_slug) flow_slug, version, version_id, definition, subflow_versions
  from pgflow.flow_versions
  where version_id <= :watermark
  order by flow_slug, version_id desc
) as newest
where definition is not null
order by flow_slug collate "C";

-- name: start_flow
-- Request a run and return its id.
select run_id
from pgflow.start_flow(
  cast(:flow_slug as text), cast(:input as jsonb), cast(:run_id as uuid)
);

-- name: fetch_pending_requests
-- Requests that Dagster has no run of, those that no sensor handed over yet first.
select
  request.run_id, request.flow_slug, request.version_id, request.created_at,
  request.handed_over_at
from pgflow.runs as run
join pgflow.run_requests as request on request.run_id = run.run_id
where run.status = 'queued'
  and run.dagster_run_id is null
  and request.refused_at is null
  and (cast(:up_to_version as bigint) is null or request.version_id <= :up_to_version)
order by request.handed_over_at nulls first, request.created_at, request.run_id
limit :limit;

-- name: fetch_small_input
-- The input of a request as text; null when it is large, which its stored size mostly tells.
select
  case
    when pg_column_size(request.input) <= :most_bytes then
      case
        when octet_length(request.input::text) <= :most_bytes then request.input::text
      end
  end as input
from pgflow.run_requests as request
where request.run_id = cast(:run_id as uuid);

-- name: fetch_requested_input
-- The input of a request as text.
select request.input::text
from pgflow.run_requests as request
where request.run_id = cast(:run_id as uuid);

-- name: fetch_newest_pending_version
-- The highest version that a pending request needs, of those that exist; null when none is pending.
select max(request.version_id)
from pgflow.runs as run
join pgflow.run_requests as request on request.run_id = run.run_id
where run.status = 'queued'
  and run.dagster_run_id is null
  and request.refused_at is null
  and request.version_id <= (select max(version.version_id) from pgflow.flow_versions as version);

-- name: hand_over_requests
-- Note that a sensor gives these requests to Dagster, but for those that are over. Each time in
-- another order: Dagster 1.13 launches in the order of a tick, and one that fails ends the tick.
update pgflow.run_requests
set handed_over_at = statement_timestamp()
  + interval '1 microsecond'
  * get_byte(decode(md5(run_id::text || coalesce(handed_over_at::text, '')), 'hex'), 0)
where run_id = any (cast(:run_ids as uuid[])) and refused_at is null
returning run_id;

-- name: refuse_request
-- End a request that cannot be run; whether there was one to end.
select pgflow.refuse_run(cast(:run_id as uuid), cast(:reason as text));

-- name: put_output
-- Store an output, or replace the one of an earlier attempt.
insert into pgflow.step_outputs (
  dagster_run_id, step_key, output_name, mapping_key, value, location, size_bytes
)
values (
  cast(:dagster_run_id as uuid), :step_key, :output_name, :mapping_key,
  cast(:text as json), :location, :size_bytes
)
on conflict on constraint step_outputs_pkey do update
set value = excluded.value,
  location = excluded.location,
  size_bytes = excluded.size_bytes,
  created_at = excluded.created_at;

-- name: fetch_output
-- One stored output.
select
  dagster_run_id, step_key, output_name, mapping_key, cast(value as text) as text, location,
  size_bytes
from pgflow.step_outputs
where dagster_run_id = cast(:dagster_run_id as uuid)
  and step_key = :step_key
  and output_name = :output_name
  and mapping_key = :mapping_key;

-- name: fetch_outputs_of_run
-- The outputs of a run, all or those of one name.
select
  dagster_run_id, step_key, output_name, mapping_key, cast(value as text) as text, location,
  size_bytes
from pgflow.step_outputs
where dagster_run_id = cast(:dagster_run_id as uuid)
  and (cast(:output_name as text) is null or output_name = :output_name)
order by step_key, output_name, mapping_key;
