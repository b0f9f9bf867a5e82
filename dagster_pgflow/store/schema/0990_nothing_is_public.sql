-- PostgreSQL lets everybody execute a new function; each migration that makes one ends like this.
revoke all on all functions in schema pgflow from public;

-- Whoever may enter the schema may know what a right is called that is missing.
grant execute on function pgflow.role_rights() to public;
