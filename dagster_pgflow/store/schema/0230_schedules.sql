create table pgflow.schedules (
  flow_slug text not null,
  schedule_slug text not null,
  cron text not null,
  timezone text not null default 'UTC',
  input pgflow.json_within_limits not null default '{}',
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  constraint schedules_pkey primary key (flow_slug, schedule_slug),
  constraint schedules_flow_slug_fkey foreign key (flow_slug)
    references pgflow.flows (flow_slug) on delete cascade,
  constraint schedule_slug_is_valid check (pgflow.is_valid_slug(schedule_slug)),
  constraint cron_has_five_fields check (cron ~ '^\s*\S+(\s+\S+){4}\s*$'),
  constraint cron_comes_some_day check (pgflow.cron_comes_some_day(cron)),
  constraint timezone_is_named check (timezone <> '')
);

comment on table pgflow.schedules is 'When flows start by themselves';
comment on column pgflow.schedules.cron is 'Five fields: minute, hour, day of month, month, weekday';
comment on column pgflow.schedules.timezone is 'An IANA time zone, such as Europe/Berlin';
