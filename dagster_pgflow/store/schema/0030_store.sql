-- One row: what tells two pgflow databases apart that one Dagster instance uses.
create table pgflow.store (
  store_id uuid not null default gen_random_uuid(),
  created_at timestamptz not null default now(),
  is_the_only_row boolean not null default true,
  allowed_tags text[] not null default '{}',
  tells_events boolean,
  pruned_before timestamptz,
  constraint store_pkey primary key (is_the_only_row),
  constraint store_has_one_row check (is_the_only_row)
);

comment on table pgflow.store is 'The identity of this store, which is a tag of every run that it starts';
comment on column pgflow.store.allowed_tags is
  'Keys of tags, with * for any text, that flows may have although they contain a "/"; the code location writes them here when it loads';
comment on column pgflow.store.tells_events is
  'Whether changes of runs and steps are notified on pgflow_events; null is as long as no tenants are isolated';

comment on column pgflow.store.pruned_before is
  'What ended earlier may have been deleted, and starts nothing any more';

insert into pgflow.store default values;
