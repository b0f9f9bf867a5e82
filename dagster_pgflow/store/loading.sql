-- name: publish_touched_flows
-- Give each flow that this transaction changed its version now instead of at commit.
select (pgflow.publish_flow(unpublished.flow_slug)).version
from pgflow.unpublished_flows as unpublished;

-- name: fetch_versions_after
-- The newest of the versions above a watermark, for each flow.
select newest.flow_slug, newest.version, cast(newest.definition as text) as definition
from pgflow.flow_versions as newest
where newest.version_id > :watermark
  and not exists (
    select
    from pgflow.flow_versions as later
    where later.flow_slug = newest.flow_slug and later.version_id > newest.version_id
  )
order by newest.flow_slug collate "C";
