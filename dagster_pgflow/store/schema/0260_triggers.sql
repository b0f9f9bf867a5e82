create table pgflow.triggers (
  trigger_id bigint not null generated always as identity,
  name text not null,
  enabled boolean not null default true,
  on_event text not null,
  source_flow text,
  asset_key text,
  signal_name text,
  target_flow text not null,
  condition text,
  input pgflow.json_within_limits,
  active_since timestamptz not null default clock_timestamp(),
  created_at timestamptz not null default now(),
  constraint triggers_pkey primary key (trigger_id),
  constraint triggers_name_key unique (name),
  constraint triggers_source_flow_fkey foreign key (source_flow)
    references pgflow.flows (flow_slug) on delete cascade,
  constraint triggers_target_flow_fkey foreign key (target_flow)
    references pgflow.flows (flow_slug) on delete cascade,
  constraint trigger_name_is_valid check (pgflow.is_valid_slug(name)),
  constraint on_event_is_valid check (
    on_event in (
      'run.completed', 'run.failed', 'run.cancelled', 'step.waiting', 'step.reminder',
      'asset.materialized', 'signal'
    )
  ),
  constraint only_events_of_runs_have_a_source_flow check (
    source_flow is null
    or on_event in (
      'run.completed', 'run.failed', 'run.cancelled', 'step.waiting', 'step.reminder'
    )
  ),
  constraint events_of_assets_name_an_asset check (
    (coalesce(asset_key, '') <> '') = (on_event = 'asset.materialized')
  ),
  constraint signals_are_named check ((coalesce(signal_name, '') <> '') = (on_event = 'signal')),
  constraint trigger_condition_is_not_empty check (condition ~ '\S'),
  constraint names_of_events_are_short check (
    octet_length(asset_key) <= 1000 and octet_length(signal_name) <= 1000
  )
);

create index triggers_by_event on pgflow.triggers (on_event) where enabled;
create index triggers_by_source_flow on pgflow.triggers (source_flow);
create index triggers_by_target_flow on pgflow.triggers (target_flow);

comment on table pgflow.triggers is 'What starts flows: the ends of runs, steps that wait, assets and signals';
comment on column pgflow.triggers.source_flow is
  'The flow whose runs are meant; null is every other flow of the same tenant';
comment on column pgflow.triggers.asset_key is 'The asset, as Dagster shows its key: a/b';
comment on column pgflow.triggers.condition is 'CEL over event; without one each event counts';
comment on column pgflow.triggers.input is
  'The input of the run, in which $event.x stands for a part of the event; null is the whole event';
comment on column pgflow.triggers.active_since is
  'Since when it looks at events; what happened before starts nothing';
