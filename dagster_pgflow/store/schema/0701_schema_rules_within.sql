create function pgflow.schema_rules_within(value jsonb, schema jsonb, place text)
returns table (value jsonb, schema jsonb, place text, problem text)
language sql
immutable
set search_path to pg_catalog, pg_temp
as $$
  -- A missing or an unknown key is a problem by itself; the other rows are values to check.
  select null::jsonb, null::jsonb, null::text,
    format('%s lacks the key "%s"', schema_rules_within.place, wanted.name)
  from jsonb_array_elements_text(
    case jsonb_typeof(schema_rules_within.schema -> 'required')
      when 'array' then schema_rules_within.schema -> 'required'
      else '[]'
    end
  ) as wanted (name)
  where jsonb_typeof(schema_rules_within.value) = 'object'
    and not schema_rules_within.value ? wanted.name
  union all
  select null, null, null,
    format('%s has the unknown key "%s"', schema_rules_within.place, given.name)
  from jsonb_object_keys(
    case jsonb_typeof(schema_rules_within.value)
      when 'object' then schema_rules_within.value
      else '{}'
    end
  ) as given (name)
  where schema_rules_within.schema -> 'additionalProperties' = 'false'
    and not schema_rules_within.schema ? 'patternProperties'
    and not coalesce(schema_rules_within.schema -> 'properties', '{}') ? given.name
  union all
  select
    schema_rules_within.value -> property.name,
    property.schema,
    schema_rules_within.place || '.' || property.name,
    null
  from jsonb_each(
    case jsonb_typeof(schema_rules_within.schema -> 'properties')
      when 'object' then schema_rules_within.schema -> 'properties'
      else '{}'
    end
  ) as property (name, schema)
  where jsonb_typeof(schema_rules_within.value) = 'object'
    and schema_rules_within.value ? property.name
  union all
  select
    element.value,
    schema_rules_within.schema -> 'items',
    format('%s[%s]', schema_rules_within.place, element.position - 1),
    null
  from jsonb_array_elements(
    case jsonb_typeof(schema_rules_within.value)
      when 'array' then schema_rules_within.value
      else '[]'
    end
  ) with ordinality as element (value, position)
  where jsonb_typeof(schema_rules_within.schema -> 'items') = 'object'
    and not schema_rules_within.schema ? 'prefixItems'
  union all
  select schema_rules_within.value, part.schema, schema_rules_within.place, null
  from jsonb_array_elements(
    case jsonb_typeof(schema_rules_within.schema -> 'allOf')
      when 'array' then schema_rules_within.schema -> 'allOf'
      else '[]'
    end
  ) as part (schema)
$$;
