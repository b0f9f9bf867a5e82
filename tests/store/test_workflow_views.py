import psycopg2.errors
import pytest

from tests.postgres import Session


def columns(sql: Session, view: str) -> list[str]:
    return sql.column(
        "select column_name::text from information_schema.columns"
        " where table_schema = 'pgflow' and table_name = %s order by ordinal_position",
        view,
    )


def define_two_steps(sql: Session) -> None:
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a')")
    sql("select pgflow.add_step('f', 'b', '{a}')")


def test_the_views_have_the_published_columns(sql: Session) -> None:
    assert columns(sql, "workflows") == ["workflow_slug", "max_attempts", "timeout", "created_at"]
    assert columns(sql, "workflow_steps")[:8] == [
        "workflow_slug",
        "step_slug",
        "step_type",
        "step_index",
        "deps_count",
        "initial_tasks",
        "max_attempts",
        "timeout",
    ]
    assert columns(sql, "workflow_step_dependencies_def")[:3] == [
        "workflow_slug",
        "dep_slug",
        "step_slug",
    ]


def test_they_show_what_the_functions_wrote(sql: Session) -> None:
    define_two_steps(sql)
    assert sql("select workflow_slug, max_attempts, timeout from pgflow.workflows") == [
        ("f", 3, 60)
    ]
    assert sql(
        "select step_slug, step_index, deps_count from pgflow.workflow_steps order by step_index"
    ) == [("a", 0, 0), ("b", 1, 1)]
    assert sql(
        "select workflow_slug, dep_slug, step_slug from pgflow.workflow_step_dependencies_def"
    ) == [("f", "a", "b")]


def test_a_workflow_is_written_through_them(sql: Session) -> None:
    sql("insert into pgflow.workflows (workflow_slug) values ('w')")
    sql(
        "insert into pgflow.workflow_steps (workflow_slug, step_slug, step_type, initial_tasks)"
        " values ('w', 'fetch', 'single', null), ('w', 'process', 'map', 100)"
    )
    sql("insert into pgflow.workflow_steps (workflow_slug, step_slug) values ('w', 'save')")
    sql(
        "insert into pgflow.workflow_step_dependencies_def (workflow_slug, dep_slug, step_slug)"
        " values ('w', 'fetch', 'process'), ('w', 'process', 'save')"
    )
    assert sql(
        "select step_slug, step_index, deps_count from pgflow.workflow_steps order by step_index"
    ) == [("fetch", 0, 0), ("process", 1, 1), ("save", 2, 1)]
    assert sql.value(
        "select definition from pgflow.flow_versions order by version_id desc limit 1"
    ) == {
        "slug": "w",
        "options": {"timeout": 30},
        "steps": [
            {"type": "single", "slug": "fetch"},
            {"type": "map", "slug": "process", "depends_on": ["fetch"]},
            {"type": "single", "slug": "save", "depends_on": ["process"]},
        ],
    }


def test_rows_are_changed_and_removed_through_them(sql: Session) -> None:
    define_two_steps(sql)
    sql("update pgflow.workflows set timeout = 77, max_attempts = 8")
    sql("update pgflow.workflow_steps set timeout = 5 where step_slug = 'b'")
    sql("delete from pgflow.workflow_step_dependencies_def where step_slug = 'b'")
    assert sql.value("select pgflow.flow_definition('f')") == {
        "slug": "f",
        "options": {"max_attempts": 8, "timeout": 77},
        "steps": [
            {"type": "single", "slug": "a"},
            {"type": "single", "slug": "b", "options": {"timeout": 5}},
        ],
    }
    sql("delete from pgflow.workflow_steps where step_slug = 'a'")
    sql("delete from pgflow.workflows")
    assert sql("select * from pgflow.flows") == []
    assert sql("select * from pgflow.steps") == []


def test_a_second_dependency_of_a_map_is_refused(sql: Session) -> None:
    define_two_steps(sql)
    sql("select pgflow.add_step('f', 'm', '{a}', step_type => 'map')")
    sql("select pgflow.add_step('f', 's', '{a,b}')")
    rule = "map_step_has_at_most_one_dependency"
    with pytest.raises(psycopg2.errors.CheckViolation, match=rule):
        sql("insert into pgflow.workflow_step_dependencies_def values ('f', 'b', 'm')")
    with pytest.raises(psycopg2.errors.CheckViolation, match=rule):
        sql("update pgflow.workflow_steps set step_type = 'map' where step_slug = 's'")


def test_a_cycle_is_refused(sql: Session) -> None:
    define_two_steps(sql)
    with pytest.raises(psycopg2.errors.CheckViolation, match='cannot depend on "b"'):
        sql("insert into pgflow.workflow_step_dependencies_def values ('f', 'b', 'a')")
    with pytest.raises(psycopg2.errors.CheckViolation, match="cannot move to index"):
        sql("update pgflow.workflow_steps set step_index = 9 where step_slug = 'a'")
    sql("update pgflow.workflow_steps set step_index = 9 where step_slug = 'b'")


def test_a_step_that_others_need_cannot_be_removed(sql: Session) -> None:
    define_two_steps(sql)
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="deps_flow_slug_dep_slug_fkey"):
        sql("delete from pgflow.workflow_steps where step_slug = 'a'")
    sql("delete from pgflow.workflow_steps where step_slug = 'b'")
    assert sql("select * from pgflow.deps") == []
