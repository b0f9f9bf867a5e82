-- Counts what is filled in for one default, since a schema may refer to itself: where that never
-- ends, nothing comes out. Beyond 100 levels no value lies.
create function pgflow.filled_in(
  value jsonb, schema jsonb, root jsonb, level integer, inside integer,
  out filled jsonb, out inside_now integer
)
language plpgsql
immutable
set search_path to pg_catalog, pg_temp
as $$
declare
  -- Only what may have parts comes here, and most schemas do not refer: calls take most of the time.
  resolved constant jsonb := case
    when jsonb_typeof(schema) is distinct from 'object' then null
    when schema ? '$ref' then pgflow.resolved_schema(schema, root)
    else schema
  end;
  items jsonb;
  names text[] := '{}';
  parts jsonb[] := '{}';
  here record;
  part jsonb;
begin
  filled := value;
  inside_now := inside;
  if resolved is null then
    return;
  elsif level > 100 then
    filled := case when inside is null then value end;
    return;
  end if;

  if jsonb_typeof(value) = 'array' then
    if jsonb_typeof(resolved -> 'items') is distinct from 'object' or resolved ? 'prefixItems' then
      return;
    end if;
    items := pgflow.resolved_schema(resolved -> 'items', root);
    for part in select element.value from jsonb_array_elements(value) as element (value) loop
      if jsonb_typeof(part) in ('object', 'array') then
        select inner_value.filled, inner_value.inside_now into part, inside_now
        from pgflow.filled_in(part, items, root, level + 1, inside_now) as inner_value;
        if part is null then
          filled := null;
          return;
        end if;
      end if;
      parts := array_append(parts, part);
    end loop;
    filled := to_jsonb(parts);
    return;
  end if;

  if jsonb_typeof(resolved -> 'properties') is distinct from 'object' then
    return;
  end if;
  for here in select field.name, field.schema
    from jsonb_each(resolved -> 'properties') as field (name, schema)
  loop
    part := value -> here.name;
    if part is not null then
      continue when jsonb_typeof(part) not in ('object', 'array');
      select inner_value.filled, inner_value.inside_now into part, inside_now
      from pgflow.filled_in(part, here.schema, root, level + 1, inside_now) as inner_value;
    else
      part := case
        when jsonb_typeof(here.schema) <> 'object' then null
        when here.schema ? 'default' then here.schema -> 'default'
        when here.schema ? '$ref' then pgflow.default_of(here.schema, root)
      end;
      continue when part is null;
      if inside_now >= 1000 then
        filled := null;
        return;
      end if;
      if jsonb_typeof(part) in ('object', 'array') then
        select
          inner_value.filled, case when inside is not null then inner_value.inside_now end
        into part, inside_now
        from pgflow.filled_in(part, here.schema, root, level + 1, coalesce(inside_now, 0) + 1)
          as inner_value;
      elsif inside is not null then
        inside_now := inside_now + 1;
      end if;
    end if;
    if part is null then
      filled := null;
      return;
    end if;
    names := array_append(names, here.name);
    parts := array_append(parts, part);
  end loop;
  if names <> '{}' then
    filled := value || (
      select jsonb_object_agg(changed.name, changed.value)
      from unnest(names, parts) as changed (name, value)
    );
  end if;
end
$$;
