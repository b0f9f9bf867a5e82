-- Knows a part of JSON Schema, and only speaks when the value certainly breaks it: what this
-- function lets through, the code location validates again in full.
create function pgflow.schema_problem(
  value jsonb, schema jsonb, root jsonb, place text, depth integer default 0
) returns text
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  wanted_types text;
  problem text;
  rule record;
begin
  if jsonb_typeof(schema) is distinct from 'object' or depth > 50 then
    return null;
  end if;

  if schema ? '$ref' then
    -- Other rules beside a reference count in some drafts and not in others.
    return case
      when schema ->> '$ref' like '#/%' then pgflow.schema_problem(
        value, root #> string_to_array(substr(schema ->> '$ref', 3), '/'), root, place, depth + 1
      )
    end;
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
      return format('%s is %s, but must be %s', place, jsonb_typeof(value), wanted_types);
    end if;
  end if;

  if jsonb_typeof(schema -> 'enum') = 'array' and not exists (
    select from jsonb_array_elements(schema -> 'enum') as allowed (value)
    where allowed.value = schema_problem.value
  ) then
    return format('%s must be one of %s', place, schema -> 'enum');
  elsif schema ? 'const' and schema -> 'const' <> value then
    return format('%s must be %s', place, schema -> 'const');
  end if;

  for rule in select * from pgflow.schema_rules_within(value, schema, place) loop
    if rule.schema is null then
      return rule.problem;
    end if;
    problem := pgflow.schema_problem(rule.value, rule.schema, root, rule.place, depth + 1);
    if problem is not null then
      return problem;
    end if;
  end loop;

  for rule in select named.alternatives from (values (schema -> 'anyOf'), (schema -> 'oneOf'))
    as named (alternatives) where jsonb_typeof(named.alternatives) = 'array'
  loop
    select string_agg(found.problem, '; or ') into problem
    from jsonb_array_elements(rule.alternatives) as alternative (schema)
    cross join lateral pgflow.schema_problem(
      schema_problem.value, alternative.schema, root, place, depth + 1
    ) as found (problem)
    having count(*) = count(found.problem);
    if problem is not null then
      return problem;
    end if;
  end loop;
  return null;
end
$$;

comment on function pgflow.schema_problem(jsonb, jsonb, jsonb, text, integer) is
  'What is wrong with a JSON value by a JSON Schema, as far as this is certain; null when nothing is';
