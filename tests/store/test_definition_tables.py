import psycopg2
import psycopg2.errors
import pytest

from tests.postgres import Session

CONSTRAINTS = {
    "flows": {
        "flows_pkey",
        "slug_is_valid",
        "opt_max_attempts_is_nonnegative",
        "opt_base_delay_is_nonnegative",
        "opt_timeout_is_positive",
    },
    "steps": {
        "steps_pkey",
        "steps_flow_slug_fkey",
        "steps_flow_slug_step_index_key",
        "steps_step_slug_check",
        "steps_step_type_check",
        "steps_deps_count_check",
        "opt_max_attempts_is_nonnegative",
        "opt_base_delay_is_nonnegative",
        "opt_timeout_is_positive",
        "opt_start_delay_is_nonnegative",
        "required_input_pattern_is_object",
        "forbidden_input_pattern_is_object",
        "when_unmet_is_valid",
        "when_exhausted_is_valid",
    },
    "deps": {
        "deps_pkey",
        "deps_flow_slug_fkey",
        "deps_flow_slug_dep_slug_fkey",
        "deps_flow_slug_step_slug_fkey",
        "deps_check",
    },
}

COLUMNS = {
    "flows": ["flow_slug", "opt_max_attempts", "opt_base_delay", "opt_timeout", "created_at"],
    "steps": [
        "flow_slug",
        "step_slug",
        "step_type",
        "step_index",
        "deps_count",
        "opt_max_attempts",
        "opt_base_delay",
        "opt_timeout",
        "opt_start_delay",
        "required_input_pattern",
        "forbidden_input_pattern",
        "when_unmet",
        "when_exhausted",
        "created_at",
    ],
    "deps": ["flow_slug", "dep_slug", "step_slug", "created_at"],
}


@pytest.mark.parametrize("table", CONSTRAINTS)
def test_the_constraints_have_the_published_names(sql: Session, table: str) -> None:
    found = sql.column(
        "select conname::text from pg_constraint where conrelid = %s::regclass", f"pgflow.{table}"
    )
    assert CONSTRAINTS[table] <= set(found)


@pytest.mark.parametrize("table", COLUMNS)
def test_the_published_columns_come_first_and_in_order(sql: Session, table: str) -> None:
    found = sql.column(
        "select attname::text from pg_attribute where attrelid = %s::regclass and attnum > 0"
        " order by attnum",
        f"pgflow.{table}",
    )
    assert found[: len(COLUMNS[table])] == COLUMNS[table]


def test_a_flow_takes_its_steps_dependencies_and_schedules_with_it(sql: Session) -> None:
    for flow in ("f", "g"):
        sql("select pgflow.create_flow(%s)", flow)
        sql("select pgflow.add_step(%s, 'a')", flow)
        sql("select pgflow.add_step(%s, 'b', '{a}')", flow)
        sql("select pgflow.add_step(%s, 'c', '{a,b}')", flow)
        sql("insert into pgflow.schedules values (%s, 'nightly', '0 2 * * *')", flow)
    sql("delete from pgflow.flows where flow_slug = 'f'")
    for table in ("flows", "steps", "deps", "schedules"):
        assert set(sql.column(f"select flow_slug from pgflow.{table}")) == {"g"}


def test_an_index_is_taken_once_in_a_flow(sql: Session) -> None:
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a')")
    with pytest.raises(psycopg2.errors.UniqueViolation, match="steps_flow_slug_step_index_key"):
        sql("insert into pgflow.steps (flow_slug, step_slug, step_index) values ('f', 'b', 0)")


def test_the_count_of_dependencies_follows_every_change(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    for slug in "abc":
        sql("select pgflow.add_step('f', %s)", slug)
    sql("insert into pgflow.deps (flow_slug, dep_slug, step_slug) values ('f', 'a', 'b')")
    sql("insert into pgflow.deps (flow_slug, dep_slug, step_slug) values ('f', 'a', 'c')")
    counts = "select deps_count from pgflow.steps order by step_index"
    assert sql.column(counts) == [0, 1, 1]
    sql("update pgflow.deps set step_slug = 'c', dep_slug = 'b' where step_slug = 'b'")
    assert sql.column(counts) == [0, 0, 2]
    sql("delete from pgflow.deps")
    assert sql.column(counts) == [0, 0, 0]


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ("('f', 'run', '0 2 * * *')", "schedule_slug_is_valid"),
        ("('f', 'x', '0 2 * *')", "cron_has_five_fields"),
        ("('f', 'x', 'nightly')", "cron_has_five_fields"),
        ("('f', 'x', '0 0 31 2 *')", "cron_comes_some_day"),
        ("('f', 'x', '0 0 30,31 FEB ?')", "cron_comes_some_day"),
        ("('f', 'x', '0 0 31 4,6,9,11 *')", "cron_comes_some_day"),
        ("('f', 'x', '0 2 * * *', '')", "timezone_is_named"),
        ("('nope', 'x', '0 2 * * *')", "schedules_flow_slug_fkey"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(
    sql: Session, values: str, constraint: str
) -> None:
    sql("select pgflow.create_flow('f')")
    with pytest.raises(psycopg2.IntegrityError) as caught:
        sql(f"insert into pgflow.schedules values {values}")
    assert caught.value.diag.constraint_name == constraint


def test_a_description_and_schemas_are_set_with_an_update(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    sql(
        """
        update pgflow.flows
        set description = 'Takes orders', tags = '{"team": "shop"}',
          input_schema = '{"type": "object", "default": null}'
        """
    )
    assert sql.value("select pgflow.flow_definition('f')") == {
        "slug": "f",
        "description": "Takes orders",
        "tags": {"team": "shop"},
        "input_schema": {"type": "object", "default": None},
    }
