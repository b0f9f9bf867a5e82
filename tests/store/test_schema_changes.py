"""A changed schema file leads to a migration that makes the same change."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from dagster_pgflow.store.assemble import SCHEMA_FOLDER, assembled_schema
from dagster_pgflow.store.schema_changes.__main__ import HEADER, derived_migration, write_migration
from dagster_pgflow.store.schema_changes.dump import ObjectKey, dumped_objects, split_dump
from dagster_pgflow.store.schema_changes.marks import unresolved
from dagster_pgflow.store.schema_version import packaged_migrations
from tests.postgres import Server, Session

WORKERS = "0346_worker_registry.sql"
COMPLETE = "0741_is_run_complete.sql"
PATH = "0742_run_path.sql"
FAILED = "0632_v_failed_executions.sql"
POLICIES = "0930_tenants_see_their_own.sql"
SLUG = "0100_is_valid_slug.sql"
LOAD = "  load integer not null,\n"
CONSTRAINT = "constraint load_is_nonnegative check (load >= 0)"
Edits = Mapping[str, Callable[[str], str]]


def replaced(old: str, new: str) -> Callable[[str], str]:
    """Changes a text that must be there."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


def with_columns(*columns: str) -> Callable[[str], str]:
    """Puts columns where `alter table` does: at the end."""
    more = "".join(f"  {column},\n" for column in columns)
    return lambda text: text.replace("  constraint", f"{more}  constraint", 1)


def without_policy_of(table: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        policies = [part for part in text.split("\n\n") if f"on pgflow.{table}\n" not in part]
        return "\n\n".join(policies)

    return change


CHANGES: dict[str, Edits] = {
    "new columns": {
        WORKERS: with_columns(
            "note text",
            "size numeric(8, 2) not null default 1.5",
            "kind text default 'a, b' not null constraint kind_known check (kind <> 'it''s, so')",
            "twice integer generated always as (load * 2) stored",
        )
    },
    "changed columns": {
        WORKERS: replaced(LOAD, "  load integer default 7,\n"),
        "0345_run_statistics.sql": replaced(
            "total_time_ms bigint,", "total_time_ms bigint default 0,"
        ),
    },
    "another body": {COMPLETE: replaced("= 0, false)", "= 0, true)")},
    "a parameter with a default": {
        COMPLETE: lambda text: text.replace(
            "(run_id uuid)", "(run_id uuid, strictly boolean default true)"
        ).replace("is_run_complete(uuid)", "is_run_complete(uuid, boolean)")
    },
    "another name of a parameter": {
        COMPLETE: lambda text: text.replace("(run_id uuid)", "(run uuid)").replace(
            "is_run_complete.run_id", "is_run_complete.run"
        )
    },
    "another return type": {
        PATH: lambda text: text.replace("  after text\n", "  after text,\n  run uuid\n").replace(
            "event.event_data ->> 'status'\n  from",
            "event.event_data ->> 'status',\n    event.run_id\n  from",
        )
    },
    "another return type of what constraints, triggers and views use": {
        SLUG: lambda text: (
            text.replace("(slug text) returns", "(checked text) returns")
            .replace("select slug", "select checked")
            .replace("and slug", "and checked")
        ),
    },
    "a function less": {COMPLETE: lambda _: ""},
    "a new table": {
        WORKERS: lambda text: (
            text
            + """
create table pgflow.visits (
  visit_id bigint generated always as identity,
  run_id uuid not null,
  at timestamptz not null default now(),
  constraint visits_pkey primary key (visit_id),
  constraint visits_run_id_fkey foreign key (run_id) references pgflow.runs (run_id)
);
comment on table pgflow.visits is 'Who was here; it''s new';
create index visits_by_run on pgflow.visits (run_id);
create view pgflow.v_visits as select visit.run_id from pgflow.visits as visit;
create policy everybody on pgflow.visits using (true);
alter table pgflow.visits enable row level security;
"""
        )
    },
    "a new function": {
        COMPLETE: lambda text: (
            text
            + """
create function pgflow.is_new(value integer) returns boolean
language sql immutable set search_path to pg_catalog, pg_temp as $$ select value > 100 % 7 $$;
grant execute on function pgflow.is_new(integer) to public;
"""
        )
    },
    "a view less": {FAILED: lambda _: ""},
    "a longer view": {
        FAILED: lambda text: text.replace(
            "run.status as run_status", "run.status as run_status,\n  1 as more"
        )
    },
    "another view": {FAILED: lambda text: text.replace("  execution.error,\n", "")},
    "another constraint": {
        WORKERS: replaced(CONSTRAINT, "constraint load_is_nonnegative check (load > 0)")
    },
    "a constraint of another name": {
        WORKERS: replaced(CONSTRAINT, "constraint load_is_bounded check (load between 0 and 9)")
    },
    "a constraint less": {WORKERS: replaced(f",\n  {CONSTRAINT}", "")},
    "another key": {
        WORKERS: replaced("primary key (run_id, worker_id)", "primary key (worker_id, run_id)")
    },
    "other indexes": {
        WORKERS: lambda text: text.replace("(last_heartbeat);", "(last_heartbeat desc);").replace(
            "create index worker_registry_by_worker on pgflow.worker_registry (worker_id);",
            "create index worker_registry_by_host on pgflow.worker_registry (host);",
        )
    },
    "other triggers": {
        WORKERS: lambda text: (
            text
            + """
create trigger keeps_one before insert on pgflow.worker_registry
for each row execute function pgflow.keep_one_row();
"""
        ),
        "0031_keep_one_row.sql": replaced(
            "before insert on pgflow.store", "before insert or update on pgflow.store"
        ),
    },
    "another policy": {POLICIES: replaced("using (array[tags", "using (true or array[tags")},
    "other comments": {
        WORKERS: lambda text: text.replace(
            "How many tasks it has", "How many, it''s said,"
        ).replace(
            "comment on column pgflow.worker_registry.last_heartbeat is\n"
            "  'When something that it did was last heard of';\n",
            "",
        )
    },
    "another right": {
        "0990_nothing_is_public.sql": lambda text: (
            text + "grant execute on function pgflow.is_valid_slug(text) to public;"
        )
    },
}


# A database takes seconds, so changes that do not meet are made together.
TOGETHER = [
    ["new columns", "another body", "another return type", "a longer view", "another right"],
    ["changed columns", "a parameter with a default", "a view less", "other indexes"],
    ["a new table", "another name of a parameter", "another view", "another constraint"],
    ["a new function", "a function less", "a constraint of another name", "other comments"],
    ["another return type of what constraints, triggers and views use", "another key"],
    ["a constraint less", "other triggers", "another policy"],
]


@pytest.fixture
def urls(server: Server) -> Iterator[list[str]]:
    with (
        server.database(migrated=False) as old,
        server.database(migrated=False) as new,
        server.database(migrated=False) as upgraded,
    ):
        yield [old, new, upgraded]


def edited(folder: Path, *all_edits: Edits) -> str:
    """Returns the schema, made from changed copies of its files."""
    for file in SCHEMA_FOLDER.glob("*.sql"):
        text = file.read_text()
        for edits in all_edits:
            text = edits.get(file.name, str)(text)
        (folder / file.name).write_text(text)
    return assembled_schema(folder)


def run(url: str, script: str) -> None:
    session = Session(url)
    session(script)
    session.close()


def upgrade(url: str, migration: str) -> None:
    for released in packaged_migrations():
        run(url, released.sql)
    run(url, f"begin; {migration} commit;")


def test_each_change_is_tried() -> None:
    assert sorted(name for names in TOGETHER for name in names) == sorted(CHANGES)


@pytest.mark.parametrize("names", TOGETHER, ids=lambda names: names[0])
def test_the_derived_migration_makes_the_changed_schema(
    urls: list[str], tmp_path: Path, names: list[str]
) -> None:
    old, new, upgraded = urls
    schema = edited(tmp_path, *(CHANGES[name] for name in names))
    migration = derived_migration(old, new, schema)
    assert migration is not None
    assert unresolved(migration) == unresolved(HEADER)
    assert "cascade" not in migration.lower().replace("on delete cascade", "")
    upgrade(upgraded, migration)
    assert dumped_objects(upgraded) == dumped_objects(new)


STATISTICS = "0345_run_statistics.sql"
LEFT_TO_THE_AUTHOR: dict[str, tuple[Edits, str]] = {
    "a column less": (
        {WORKERS: replaced("  host text not null,\n", "")},
        "-- resolve: table worker_registry, from - to +:\n--   -    host text NOT NULL,\n",
    ),
    "another type": (
        {WORKERS: replaced("  pid bigint,", "  pid text,")},
        "--   -    pid bigint,\n--   +    pid text,",
    ),
    "a column in the middle": (
        {STATISTICS: replaced("  steps_done_at ", "  note text,\n  steps_done_at ")},
        "alter table pgflow.run_statistics add column note text;",
    ),
    "a value for a new column": (
        {WORKERS: with_columns("size integer not null")},
        "-- resolve: which value has size in rows that are there?\n",
    ),
    "a value for a column that was null": (
        {STATISTICS: replaced("total_time_ms bigint,", "total_time_ms bigint not null,")},
        "-- resolve: which value has total_time_ms in rows where it is null?\n",
    ),
    "a table less": (
        {"0344_loop_state.sql": lambda _: "", POLICIES: without_policy_of("loop_state")},
        "-- resolve: table loop_state, from - to +:\n",
    ),
    "another domain": (
        {"0112_json_within_limits.sql": replaced("as jsonb\n", "as jsonb default '1'\n")},
        "-- resolve: domain json_within_limits, from - to +:\n",
    ),
}


def test_what_cannot_be_derived_is_left_to_the_author(urls: list[str], tmp_path: Path) -> None:
    schema = edited(tmp_path, *(edits for edits, _ in LEFT_TO_THE_AUTHOR.values()))
    migration = derived_migration(urls[0], urls[1], schema)
    assert migration is not None
    for _, told in LEFT_TO_THE_AUTHOR.values():
        assert told in migration
    assert unresolved(migration)[: len(unresolved(HEADER))] == unresolved(HEADER)


def test_an_unchanged_schema_needs_no_migration(urls: list[str]) -> None:
    assert derived_migration(urls[0], urls[1], assembled_schema()) is None


def test_no_migration_is_unfinished() -> None:
    assert [one.file.name for one in packaged_migrations() if unresolved(one.sql)] == []


def test_a_migration_needs_a_name_and_a_released_one_before_it() -> None:
    for name in ("", "Add X", "2nd", "../x"):
        with pytest.raises(SystemExit, match="make migration NAME=add_x"):
            write_migration(name)


def test_a_dump_is_split_where_it_names_an_object() -> None:
    dump = """\
--
-- PostgreSQL database dump
--

\\restrict abc

SET default_table_access_method = heap;

--
-- Name: flows; Type: TABLE; Schema: pgflow; Owner: -
--

CREATE TABLE pgflow.flows (
    flow_slug text NOT NULL
);


--
-- Name: TABLE flows; Type: COMMENT; Schema: pgflow; Owner: -
--

COMMENT ON TABLE pgflow.flows IS 'Flows';


--
-- PostgreSQL database dump complete
--

\\unrestrict abc
"""
    assert split_dump(dump) == {
        ObjectKey("TABLE", "flows"): "CREATE TABLE pgflow.flows (\n    flow_slug text NOT NULL\n);",
        ObjectKey("COMMENT", "TABLE flows"): "COMMENT ON TABLE pgflow.flows IS 'Flows';",
    }
