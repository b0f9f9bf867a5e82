create table pgflow.tenants (
  role_name text not null,
  tenant text not null,
  constraint tenants_pkey primary key (role_name, tenant)
);

comment on table pgflow.tenants is
  'Which tenants a role sees, once isolate_tenants() was called: those of flows with this tag "tenant"; * is every flow';
