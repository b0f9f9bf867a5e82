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
insert into pgflow.migrations (version, name, checksum, old_code_works)
values (:version, :name, :checksum, :old_code_works);

-- name: make_roles
-- Make the roles of the schema, and return their names.
select role_name from pgflow.make_roles(cast(:prefix as text)) as role_name;

-- name: fetch_applied_migrations
-- The migrations that the database has, oldest first. Before the first release the table had
-- neither checksums nor marks.
select
  migration.version,
  migration.name,
  to_jsonb(migration) ->> 'checksum' as checksum,
  coalesce(cast(to_jsonb(migration) ->> 'old_code_works' as boolean), false) as old_code_works
from pgflow.migrations as migration
order by migration.version;

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

-- name: fetch_composite_fields
-- The fields of composite types, in their order; a domain has the type that it is made of.
select
  type.oid::bigint as type,
  field.attname as name,
  coalesce(nullif(field_type.typbasetype, 0), field_type.oid)::bigint as field_type
from pg_catalog.pg_type as type
join pg_catalog.pg_attribute as field on field.attrelid = type.typrelid
join pg_catalog.pg_type as field_type on field_type.oid = field.atttypid
where type.oid = any (cast(cast(:types as text[]) as oid[]))
  and type.typtype = 'c'
  and field.attnum > 0
  and not field.attisdropped
order by type.oid, field.attnum;

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
  output_schema => cast(:output_schema as jsonb),
  max_concurrent_runs => cast(:max_concurrent_runs as integer),
  concurrency_key => cast(:concurrency_key as text),
  max_concurrent_runs_per_key => cast(:max_concurrent_runs_per_key as integer),
  merge_output => cast(:merge_output as boolean),
  timeout_ms => cast(:timeout_ms as integer),
  on_event => cast(:on_event as jsonb),
  max_recoveries => cast(:max_recoveries as integer)
);

-- name: fetch_problem_code
-- Which problem of a definition a constraint speaks of.
select pgflow.problem_code(cast(:constraint_name as text))

-- name: define_step
-- Add a step, or find the equal one.
select step_slug
from pgflow.define_step(cast(:flow_slug as text), cast(:definition as jsonb));

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
-- The version of each flow that was live at a watermark, and what is said of it beside its steps.
select
  flow_slug,
  version,
  version_id,
  (
    select coalesce(jsonb_object_agg(tag.key, tag.value), '{}')
    from jsonb_each(
      case jsonb_typeof(newest.definition -> 'tags')
        when 'object' then newest.definition -> 'tags'
        else '{}'
      end
    ) as tag
    -- What a definition may say, which is not all that a column of JSON can hold.
    where jsonb_typeof(tag.value) = 'string'
  ) as tags,
  exists (
    select
    from jsonb_array_elements(
      case jsonb_typeof(newest.definition -> 'schedules')
        when 'array' then newest.definition -> 'schedules'
        else '[]'
      end
    ) as schedule (definition)
    where schedule.definition -> 'enabled' is distinct from 'false'
  ) as is_scheduled
from (
  select distinct on (flow_slug) flow_slug, version, version_id, definition
  from pgflow.flow_versions
  where version_id <= :watermark
  order by flow_slug, version_id desc
) as newest
where newest.definition is not null
order by flow_slug collate "C";

-- name: fetch_trees
-- Flows and every flow that these contain, as of a watermark.
with recursive contained as (
  select head.flow_slug, head.version, head.version_id, head.definition, head.subflow_versions
  from unnest(cast(:flow_slugs as text[])) as wanted (slug)
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
  cast(:flow_slug as text), cast(:input as jsonb), cast(:run_id as uuid),
  priority => cast(:priority as integer)
);

-- name: fetch_pending_requests
-- Requests that Dagster has no run of: those whose turn it is, then those that a sensor handed over,
-- the longest ago first. While a live worker is there, it has those whose turn it is for some time.
with live as (
  select exists (
    select from pgflow.live_workers as worker
    where worker.seen_at > clock_timestamp() - make_interval(secs => :there_for)
  ) as is_there
),
next as (
  select given.run_id, given.place
  from (values (false), (true)) as line (needs_queue)
  cross join live
  cross join lateral pgflow.next_requests(
    line.needs_queue, cast(:limit as integer), cast(:up_to_version as bigint)
  ) with ordinality as given (run_id, flow_slug, concurrency_key, awaits_key, place)
  join pgflow.run_requests as waiting on waiting.run_id = given.run_id
  where line.needs_queue
    or not live.is_there
    or waiting.created_at < clock_timestamp() - make_interval(secs => :live_has_it_for)
),
again as (
  select request.run_id, request.handed_over_at
  from pgflow.run_requests as request
  join pgflow.runs as run on run.run_id = request.run_id
  where request.handed_over_at is not null
    and request.refused_at is null
    and request.ended_at is null
    and run.status = 'queued'
    and run.dagster_run_id is null
    and (cast(:up_to_version as bigint) is null or request.version_id <= :up_to_version)
    and (
      request.handed_over_to is null
      or request.handed_over_to
        <> all (cast((select pgflow.other_logs(cast(:own_log as text))) as text[]))
    )
  order by request.handed_over_at, request.created_at, request.run_id
  limit :limit
)
select
  request.run_id, request.flow_slug, request.version_id, request.created_at,
  request.handed_over_at, request.priority, request.tenant, request.awaits_key
from (
  select next.run_id, next.place, null::timestamptz as handed_over_at from next
  union all
  select again.run_id, null, again.handed_over_at from again
) as pending
join pgflow.run_requests as request on request.run_id = pending.run_id
order by pending.place nulls last, pending.handed_over_at, request.created_at, request.run_id
limit :limit;

-- name: fetch_small_input
-- The input of a request as text; null when it is large, which its stored size mostly tells.
select
  request.triggered_by,
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

-- name: hand_over_requests
-- Note that a sensor gives these requests to Dagster, but for those that are over, or one too many.
select run_id from pgflow.hand_over(cast(:run_ids as uuid[]), cast(:own_log as text)) as given (run_id);

-- name: refuse_request
-- End a request that cannot be run; whether there was one to end.
select pgflow.refuse_run(cast(:run_id as uuid), cast(:reason as text));

-- name: put_outputs
-- Store outputs of a run, or replace those of earlier attempts.
insert into pgflow.step_outputs (
  dagster_run_id, step_key, output_name, mapping_key, value, location, size_bytes
)
select
  cast(:dagster_run_id as uuid), step_key, output_name, mapping_key, cast(value as json), location,
  size_bytes
from unnest(
  cast(:step_key as text[]), cast(:output_name as text[]), cast(:mapping_key as text[]),
  cast(:text as text[]), cast(:location as text[]), cast(:size_bytes as bigint[])
) as given (step_key, output_name, mapping_key, value, location, size_bytes)
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
