-- name: fetch_flow_history
-- The versions of a flow, the newest first; a definition of null says that it was deleted.
select flow_version.version, flow_version.version_id, flow_version.created_at,
  cast(flow_version.definition as text) as definition, flow_version.subflow_versions
from pgflow.flow_versions as flow_version
where flow_version.flow_slug = :flow_slug
order by flow_version.version desc
limit cast(:limit as bigint);

-- name: fetch_subflow_versions
-- The versions of the flows that a version of a flow runs; null when there is no such version.
select flow_version.subflow_versions
from pgflow.flow_versions as flow_version
where flow_version.flow_slug = :flow_slug and flow_version.version = :version;

-- name: fetch_newest_version
-- The number of the newest version of a flow; null when there never was one.
select max(flow_version.version)
from pgflow.flow_versions as flow_version
where flow_version.flow_slug = :flow_slug;
