create table pgflow.flow_versions (
  version_id bigint not null generated always as identity,
  flow_slug text not null,
  version integer not null,
  definition jsonb,
  content_hash text,
  created_at timestamptz not null default clock_timestamp(),
  subflow_versions jsonb not null default '{}',
  constraint flow_versions_pkey primary key (version_id),
  constraint flow_versions_flow_slug_version_key unique (flow_slug, version),
  constraint a_definition_has_a_hash check ((definition is null) = (content_hash is null)),
  constraint slug_is_valid check (pgflow.is_valid_slug(flow_slug)),
  constraint definition_is_that_of_the_flow check (
    coalesce(definition ->> 'slug' = flow_slug, definition is null)
  ),
  constraint subflow_versions_are_versions check (
    jsonb_typeof(subflow_versions) = 'object'
    and not jsonb_path_exists(
      subflow_versions, 'strict $.* ? (@.type() != "number" || @ < 1 || @ > 2147483647)',
      '{}', true
    )
  )
);

create unique index flow_versions_by_flow on pgflow.flow_versions (flow_slug, version_id desc);

comment on table pgflow.flow_versions is
  'Every definition that a flow ever had, for ever; version_ids become visible in their order';
comment on column pgflow.flow_versions.version is 'Counts the versions of one flow from 1';
comment on column pgflow.flow_versions.definition is 'The flow as JSON; null says that it was deleted';
comment on column pgflow.flow_versions.subflow_versions is
  'The version of each flow that a step of this one runs, by slug';
