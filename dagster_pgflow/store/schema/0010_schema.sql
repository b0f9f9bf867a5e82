-- A database role may own this schema without the right to create schemas, hence the test.
do $$
begin
  if to_regnamespace('pgflow') is null then
    create schema pgflow;
  end if;
end
$$;

comment on schema pgflow is 'Flows that Dagster runs: definitions, versions, requests and runs';
