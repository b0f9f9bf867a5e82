create function pgflow.refuse_bad_guards(flow_slug text, step_slug text, settings jsonb)
returns void
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  broken_constraint text;
  problem text;
begin
  if not settings ?| array['circuit_breaker', 'bulkhead', 'rate_limiter'] then
    return;
  end if;
  select
    case
      when known.field is null then 'guards_have_their_fields'
      when not given.fits then 'guards_have_their_types'
      when known.field ->> 'is' = 'text' then 'guard_keys_are_short'
      else 'guards_are_in_range'
    end,
    case
      when known.field is null then format(
        'has a %s with the field "%s", which no %1$s has; leave it out',
        replace(given.guard, '_', ' '), left(given.name, 128)
      )
      when not given.fits then format(
        'has a %s whose %s must be %s',
        replace(given.guard, '_', ' '), given.name, known.field ->> 'is'
      )
      else format(
        'has a %s whose %s must be from %s to %s%s',
        replace(given.guard, '_', ' '), given.name, known.field ->> 'from', known.field ->> 'to',
        case when known.field ->> 'is' = 'text' then ' characters long' else '' end
      )
    end
  into broken_constraint, problem
  from (
    select
      fields.guard,
      field.name,
      field.value,
      coalesce(
        pgflow.is_setting(
          field.value, pgflow.guard_fields() #>> array[fields.guard, field.name, 'is']
        ),
        false
      ) as fits
    from jsonb_each(settings) as fields (guard, value)
    cross join jsonb_each(fields.value) as field (name, value)
    where pgflow.guard_fields() ? fields.guard
  ) as given
  cross join lateral (
    select pgflow.guard_fields() #> array[given.guard, given.name]
  ) as known (field)
  where case
    when not given.fits then true
    when known.field ->> 'is' = 'text' then length(given.value #>> '{}')
      not between (known.field ->> 'from')::bigint and (known.field ->> 'to')::bigint
    else (given.value #>> '{}')::bigint
      not between (known.field ->> 'from')::bigint and (known.field ->> 'to')::bigint
  end
  order by given.guard, given.name
  limit 1;
  perform pgflow.refuse_step(flow_slug, step_slug, broken_constraint, problem);
end
$$;

comment on function pgflow.refuse_bad_guards(text, text, jsonb) is
  'Raises when a circuit breaker, a bulkhead or a rate limiter of a step cannot be';
