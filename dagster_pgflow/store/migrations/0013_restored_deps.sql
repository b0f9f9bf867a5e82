-- old code: works

set local check_function_bodies to off;

CREATE FUNCTION pgflow.begin_without_deps() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- A dump of the data says how many there were, and then brings each of them.
  new.deps_count := 0;
  return new;
end
$$;

CREATE TRIGGER steps_begin_without_deps BEFORE INSERT ON pgflow.steps FOR EACH ROW EXECUTE FUNCTION pgflow.begin_without_deps();

REVOKE ALL ON FUNCTION pgflow.begin_without_deps() FROM PUBLIC;
