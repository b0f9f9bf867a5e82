-- Knows a part of JSON Schema, and only speaks when the value certainly breaks it: what this
-- function lets through, the code location validates again in full. A schema can ask for more work
-- than anybody has (parts that double in "allOf" or "anyOf", lists in lists of choices): each look
-- costs some of the effort, by the size of what is looked at, and without effort nothing is said.
create function pgflow.schema_verdict(
  value jsonb, schema jsonb, root jsonb, place text, depth integer,
  inout effort integer, out problem text
)
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
declare
  wanted_types text;
  rule record;
  alternative jsonb;
  found_problems text[];
begin
  effort := effort - 1 - (pg_column_size(schema) + pg_column_size(value)) / 200;
  if effort <= 0 or jsonb_typeof(schema) is distinct from 'object' or depth > 50 then
    return;
  end if;

  if schema ? '$ref' then
    -- Other rules beside a reference count in some drafts and not in others.
    select verdict.effort, verdict.problem into effort, problem
    from pgflow.schema_verdict(
      value, pgflow.referred_schema(schema -> '$ref', root), root, place, depth + 1, effort
    ) as verdict;
    return;
  end if;

  if schema ? 'type' then
    select string_agg(wanted.name, ' or ') into wanted_types
    from jsonb_array_elements_text(
      case jsonb_typeof(schema -> 'type')
        when 'array' then schema -> 'type'
        else jsonb_build_array(schema -> 'type')
      end
    ) as wanted (name)
    having not bool_or(pgflow.is_of_json_type(value, wanted.name));
    if wanted_types is not null then
      problem := format('%s is %s, but must be %s', place, jsonb_typeof(value), wanted_types);
      return;
    end if;
  end if;

  if jsonb_typeof(schema -> 'enum') = 'array' and not exists (
    select from jsonb_array_elements(schema -> 'enum') as allowed (value)
    where allowed.value = schema_verdict.value
  ) then
    problem := format('%s must be one of %s', place, schema -> 'enum');
    return;
  elsif schema ? 'const' and schema -> 'const' <> value then
    problem := format('%s must be %s', place, schema -> 'const');
    return;
  end if;

  for rule in select * from pgflow.schema_rules_within(value, schema, place) loop
    if rule.schema is null then
      problem := rule.problem;
      return;
    end if;
    select verdict.effort, verdict.problem into effort, problem
    from pgflow.schema_verdict(rule.value, rule.schema, root, rule.place, depth + 1, effort)
      as verdict;
    if problem is not null or effort <= 0 then
      return;
    end if;
  end loop;

  for rule in select named.alternatives from (values (schema -> 'anyOf'), (schema -> 'oneOf'))
    as named (alternatives) where jsonb_typeof(named.alternatives) = 'array'
  loop
    found_problems := '{}';
    for alternative in select choice.value from jsonb_array_elements(rule.alternatives) as choice loop
      select verdict.effort, verdict.problem into effort, problem
      from pgflow.schema_verdict(value, alternative, root, place, depth + 1, effort) as verdict;
      exit when problem is null;
      found_problems := found_problems || problem;
    end loop;
    if problem is not null then
      problem := array_to_string(found_problems, '; or ');
      return;
    elsif effort <= 0 then
      return;
    end if;
  end loop;
end
$$;
