-- Says what `json_values.limits` says in Python: what is within both, everybody can read.
create function pgflow.json_problem(value jsonb) returns text
language plpgsql
immutable
strict
parallel safe
set search_path to pg_catalog, pg_temp
as $$
declare
  longest bigint;
  is_too_large boolean;
begin
  if jsonb_path_exists(
    value, 'strict $.**{100} ? (@.type() == "array" || @.type() == "object")'
  ) then
    return 'it is nested more than 100 levels deep; make it flatter';
  elsif value::text !~ '[0-9]{150}[0-9]{150}' then
    return null;
  end if;

  -- A number is written without an exponent here, as everybody gets it who reads the value.
  select
    max(length(translate(number.written, '-.', ''))),
    bool_or(number.written like '%.%' and length(split_part(ltrim(number.written, '-'), '.', 1)) > 308)
    into longest, is_too_large
  from (
    select found.value::text
    from jsonb_path_query(value, 'strict $.** ? (@.type() == "number")') as found (value)
  ) as number (written);
  return case
    when longest > 1000
      then 'it has a number of more than 1,000 digits; write such a number as text'
    when is_too_large
      then 'it has a number with decimals that is 1e308 or more; write such a number as text'
  end;
end
$$;

comment on function pgflow.json_problem(jsonb) is
  'Which limit a JSON value exceeds, as the end of a sentence; null when it is within all';
