-- Only speaks against days of months that are written as numbers: all else, Python looks at.
create function pgflow.cron_comes_some_day(cron text) returns boolean
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  with written (fields) as (
    select regexp_split_to_array(btrim(lower(cron_comes_some_day.cron)), '\s+')
  )
  select coalesce((
    select min(day.number::integer) <= max(
      (array[31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[coalesce(
        array_position(
          array['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
          month.name
        ),
        substring(month.name from '^\d+$')::integer
      )]
    )
    from written
    cross join lateral unnest(string_to_array(fields[3], ',')) as day (number)
    cross join lateral unnest(string_to_array(fields[4], ',')) as month (name)
    where fields[5] in ('*', '?')
      and fields[3] ~ '^\d{1,2}(,\d{1,2})*$'
      and fields[4] ~ '^(\d{1,2}|[a-z]{3})(,(\d{1,2}|[a-z]{3}))*$'
  ), true)
$$;

comment on function pgflow.cron_comes_some_day(text) is
  'False for days that no month has, such as the 31st of February; true where this is not certain';
