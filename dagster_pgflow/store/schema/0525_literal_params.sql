-- A test compares it with what the configs of the node types say.
create function pgflow.literal_params(handler text) returns text[]
language sql
immutable
parallel safe
set search_path to pg_catalog, pg_temp
as $$
  select case handler
    when 'pgflow.http' then '{allow_hosts,allow_private}'::text[]
    when 'pgflow.transform' then '{expression}'
    when 'pgflow.filter' then '{condition,on_error}'
    when 'pgflow.aggregate' then '{group_by,measures}'
    else '{}'
  end
$$;

comment on function pgflow.literal_params(text) is
  'The params of a built-in node type that are no templates: what looks like a reference there is text';
