"""Who can do what: the table on the page of security, tried out statement by statement."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg2
import pytest

from dagster_pgflow.errors import StoreAccessDenied, StoreRefused
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.migrator import make_roles, migrate
from tests.docs.pages import ROOT
from tests.postgres import Server, Session, as_role

ROLES = ("reader", "starter", "answerer", "author", "worker")
DENIED = "42501"
SOME_COLUMN = {
    "run_requests": "handed_over_at",
    "store": "allowed_tags",
    "trigger_outcomes": "outcome",
}
"""What may be changed, where it is not all of a row."""


class Right(NamedTuple):
    """Something that one can do with a thing."""

    verb: str
    name: str


def table_of_the_page() -> dict[Right, set[str]]:
    """Returns who has which right, as the page has it; `*` stands for every table and view."""
    page = (ROOT / "docs" / "security.md").read_text()
    head, _, *rows = page.partition("| | reader |")[2].partition("\n\n")[0].splitlines()
    assert [cell.strip() for cell in f"reader |{head}".split("|")[:-1]] == [*ROLES]
    told: dict[Right, set[str]] = {}
    for row in rows:
        words, *cells = [cell.strip() for cell in row.strip("|").split("|")]
        allowed = {role for role, cell in zip(ROLES, cells, strict=True) if cell == "yes"}
        if words == "anything else":
            assert not allowed
            continue
        verbs = re.findall(r"`(select|insert|update|delete)`", words) or ["call"]
        names = re.findall(r"`(\w+)`", words.partition(" in ")[2] if verbs != ["call"] else words)
        for verb in verbs:
            for name in names or ["*"]:
                told.setdefault(Right(verb, name), set()).update(allowed)
    return told


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    """One database for all that is tried out: nothing of it is committed."""
    with server.database() as url:
        yield url


@pytest.fixture(scope="module")
def owner(url: str) -> Iterator[Session]:
    session = Session(url)
    yield session
    session.close()


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def somebody(url: str, role: str) -> Iterator[Session]:
    session = Session(as_role(url, role))
    yield session
    session.close()


def may(session: Session, statement: str) -> bool:
    """Tries a statement and takes it back; whether the user has the right to it."""
    session("begin")
    try:
        session(statement)
    except psycopg2.Error as error:
        return bool(error.pgcode != DENIED)
    finally:
        session("rollback")
    return True


def test_each_statement_on_a_table_is_allowed_to_those_on_the_page_alone(
    owner: Session, somebody: Session, role: str
) -> None:
    told = table_of_the_page()
    found, expected = set(), set()
    for name, kind, first_column in owner(
        """
        select relname, relkind, (
          select attname from pg_attribute
          where attrelid = pg_class.oid and attnum > 0 order by attidentity, attnum limit 1
        )
        from pg_class where relnamespace = 'pgflow'::regnamespace and relkind in ('r', 'v')
        """
    ):
        column = SOME_COLUMN.get(name, first_column)
        statements = {
            "select": f"select * from pgflow.{name} limit 1",
            "insert": f"insert into pgflow.{name} default values",
            "update": f"update pgflow.{name} set {column} = {column} where false",
            "delete": f"delete from pgflow.{name} where false",
        }
        if kind == "r":
            statements["truncate"] = f"truncate pgflow.{name}"
        if name in (
            "all_runs",
            "v_active_runs",
            "v_failed_executions",
            "waiting_requests",
            "v_bulkheads",
            "v_open_waits",
        ):
            # Nobody can change these, but PostgreSQL says so before it looks at rights.
            statements = {"select": statements["select"]}
        for verb, statement in statements.items():
            right = Right(verb, name)
            if role in told.get(right, ()) or (
                verb == "select" and name != "tenants" and role in told[Right("select", "*")]
            ):
                expected.add(right)
            if may(somebody, statement):
                found.add(right)
    assert found == expected
    assert len(expected) >= 29


def test_each_function_can_be_called_by_those_on_the_page_alone(
    owner: Session, somebody: Session, role: str
) -> None:
    told = table_of_the_page()
    found, expected = set(), set()
    for name, types in owner(
        """
        select proname, (select array_agg(type::regtype::text) from unnest(proargtypes) as type)
        from pg_proc where pronamespace = 'pgflow'::regnamespace
          and prorettype <> 'trigger'::regtype
        """
    ):
        arguments = ", ".join(f"null::{kind}" for kind in types or ())
        # Whoever may enter the schema may know what there is to be allowed.
        if role in told.get(Right("call", name), ()) or name == "role_rights":
            expected.add(name)
        if may(somebody, f"select pgflow.{name}({arguments})"):
            found.add(name)
    assert found == expected


@pytest.mark.parametrize(
    "statement",
    [
        "update pgflow.store set store_id = store_id",
        "update pgflow.run_requests set version_id = version_id",
        "create table pgflow.mine (a integer)",
        "create function pgflow.mine() returns integer language sql as 'select 1'",
        "create trigger mine before insert on pgflow.runs execute function pgflow.count_deps()",
        "alter table pgflow.runs disable trigger all",
        "alter function pgflow.start_flow(text, jsonb, uuid, integer) security invoker",
        "create or replace view pgflow.workflows as select 1",
        "drop schema pgflow cascade",
        "lock table pgflow.flow_versions in share mode",
        "select setval('pgflow.flow_versions_version_id_seq', 1)",
    ],
)
def test_nobody_changes_the_schema_itself_or_what_it_goes_by(
    somebody: Session, statement: str
) -> None:
    assert not may(somebody, statement)


def test_nothing_is_given_to_everybody(owner: Session) -> None:
    public = owner.column(
        """
        select oid::regprocedure::text from pg_proc where pronamespace = 'pgflow'::regnamespace
          and (proacl is null or exists (select from aclexplode(proacl) where grantee = 0))
        union all
        select oid::regclass::text from pg_class where relnamespace = 'pgflow'::regnamespace
          and exists (select from aclexplode(relacl) where grantee = 0)
        union all
        select nspname::text from pg_namespace where nspname = 'pgflow'
          and exists (select from aclexplode(nspacl) where grantee = 0)
        """
    )
    assert public == ["pgflow.role_rights()"]


def test_every_function_looks_names_up_where_no_caller_can_put_any(owner: Session) -> None:
    loose = owner.column(
        """
        select proname::text from pg_proc
        where pronamespace = 'pgflow'::regnamespace
          and 'search_path=pg_catalog, pg_temp' <> all (coalesce(proconfig, '{}'))
        """
    )
    assert loose == []


def test_what_runs_with_the_rights_of_the_owner_is_what_the_page_says(owner: Session) -> None:
    told = {
        right.name
        for right, roles in table_of_the_page().items()
        if right.verb == "call" and roles and roles <= {"starter", "author"}
    }
    # Workers may call these besides, for those who answer in the UI of Dagster.
    told |= {"seen_tenants", "answer", "signal"}
    # The rows that these write, workers must not write as they like.
    told |= {"fire_trigger", "note_asset_events", "note_reminders", "queue_wait"}
    found = owner(
        """
        select proname::text, prorettype = 'trigger'::regtype from pg_proc
        where pronamespace = 'pgflow'::regnamespace and prosecdef
        """
    )
    assert {name for name, is_trigger in found if not is_trigger} == told
    assert "publish_unpublished" in {name for name, is_trigger in found if is_trigger}


def test_making_the_roles_again_takes_back_what_is_not_in_the_list(
    database: Database, sql: Session
) -> None:
    prefix = f"again_{uuid4().hex[:12]}"
    try:
        names = make_roles(database, prefix)
        assert names == tuple(f"{prefix}_{role}" for role in sorted(ROLES))
        sql(f"grant insert on pgflow.runs to {prefix}_starter")
        sql(f"grant execute on function pgflow.delete_runs(uuid[]) to {prefix}_starter")
        assert make_roles(database, prefix) == names
        assert not sql.value(
            "select has_table_privilege(rolname, 'pgflow.runs', 'insert')"
            " or has_function_privilege(rolname, 'pgflow.delete_runs(uuid[])', 'execute')"
            f" from pg_roles where rolname = '{prefix}_starter'"
        )
    finally:
        drop_roles(sql, prefix)


def test_who_may_not_make_roles_is_told_so_in_a_sentence(database_url: str, sql: Session) -> None:
    role = f"weak_{uuid4().hex[:12]}"
    prefix = f"{role}_x"
    sql(f"create role {role} nologin; grant usage on schema pgflow to {role}")
    sql(f"grant all on all tables in schema pgflow to {role}")
    sql(f"grant all on all functions in schema pgflow to {role}")
    weak = Database(f"{database_url} options='-c role={role}'")
    try:
        with pytest.raises(
            StoreAccessDenied,
            match=f'There is no role "{prefix}_answerer", and "{role}" may not make roles'
            r" \(CREATEROLE\)\. Grant it, or use another user\.$",
        ):
            make_roles(weak, prefix)
    finally:
        weak.close()
        sql(f"drop owned by {role}; drop role {role}")


@pytest.mark.parametrize("prefix", ["", "Shop", "1a", "pg_mine", 'x"; drop table a; --', "a" * 51])
def test_a_prefix_that_cannot_begin_a_role_is_refused(database: Database, prefix: str) -> None:
    with pytest.raises(StoreRefused, match="write 1 to 50 small letters"):
        make_roles(database, prefix)


def test_an_owner_who_is_no_superuser_needs_no_roles(server: Server, url: str) -> None:
    owner = f"owner_{uuid4().hex[:12]}"
    with server.database(migrated=False) as empty:
        admin = Session(empty)
        admin(f"create role {owner} nologin; grant create on database {_name(empty)} to {owner}")
        database = Database(f"{empty} options='-c role={owner}'")
        try:
            migrate(database)
            session = Session(f"{empty} options='-c role={owner}'")
            session("select pgflow.create_flow('f')")
            session("select pgflow.add_step('f', 'a')")
            assert session.value("select status from pgflow.start_flow('f')") == "queued"
            session.close()
        finally:
            database.close()
            admin(f"drop owned by {owner} cascade; drop role {owner}")
            admin.close()


def drop_roles(sql: Session, prefix: str) -> None:
    for role in sql.column("select rolname from pg_roles where starts_with(rolname, %s)", prefix):
        sql(f"drop owned by {role}; drop role {role}")


def _name(url: str) -> Any:
    return psycopg2.extensions.parse_dsn(url)["dbname"]
