create table pgflow.rate_limiters (
  tenant text not null default '',
  key text not null,
  period_at timestamptz not null,
  taken integer not null,
  constraint rate_limiters_pkey primary key (tenant, key)
)
with (fillfactor = 50);

comment on table pgflow.rate_limiters is 'The turns that each rate limiter has given';
comment on column pgflow.rate_limiters.period_at is
  'When the last period begins of which turns were given; calls wait for it where it is yet to come';
comment on column pgflow.rate_limiters.taken is 'How many turns of that period were given';
