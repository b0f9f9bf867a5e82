-- A row lives only inside the transaction that touched the flow: it is gone at commit.
create table pgflow.unpublished_flows (
  flow_slug text not null,
  constraint unpublished_flows_pkey primary key (flow_slug)
);

comment on table pgflow.unpublished_flows is
  'Flows that this transaction changed and whose version it has yet to publish';
