import psycopg2.errors
import pytest

from tests.postgres import Session


def test_it_returns_the_row_with_defaults(sql: Session) -> None:
    [flow] = sql.records("select * from pgflow.create_flow('order')")
    del flow["created_at"]
    assert flow == {
        "flow_slug": "order",
        "opt_max_attempts": 3,
        "opt_base_delay": 5,
        "opt_timeout": 60,
        "description": "",
        "input_schema": None,
        "output_schema": None,
        "tags": {},
    }


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("create_flow('f')", (3, 5, 60)),
        ("create_flow('f', null, null, null)", (3, 5, 60)),
        ("create_flow('f', 5, 10, 120)", (5, 10, 120)),
        ("create_flow('f', 0, 0, 1)", (0, 0, 1)),
        ("create_flow('f', timeout => 90)", (3, 5, 90)),
        ("create_flow('f', max_attempts => 7)", (7, 5, 60)),
        ("create_flow(flow_slug => 'f', base_delay => 1)", (3, 1, 60)),
        ("create_flow('f'::text, 5, 10)", (5, 10, 60)),
    ],
)
def test_each_option_has_its_own_default(
    sql: Session, call: str, expected: tuple[int, int, int]
) -> None:
    statement = f"select opt_max_attempts, opt_base_delay, opt_timeout from pgflow.{call}"
    assert sql(statement) == [expected]


def test_its_parameters_have_the_published_names_and_defaults(sql: Session) -> None:
    arguments = sql.value(
        "select pg_get_function_arguments('pgflow.create_flow(text, int, int, int)'::regprocedure)"
    )
    assert arguments == (
        "flow_slug text, max_attempts integer DEFAULT NULL::integer,"
        " base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer"
    )


def test_an_existing_flow_is_returned_unchanged(sql: Session) -> None:
    [first] = sql("select * from pgflow.create_flow('order', 7, 8, 9)")
    [second] = sql("select * from pgflow.create_flow('order', 1, 1, 1)")
    assert second == first
    assert sql.value("select count(*) from pgflow.flows") == 1
    assert sql.value("select count(*) from pgflow.flow_versions") == 1


@pytest.mark.parametrize("slug", ["", "run", "1st", "has-dash", "x" * 129, None])
def test_an_invalid_slug_is_refused_with_the_name_of_the_constraint(
    sql: Session, slug: str | None
) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match="slug_is_valid") as caught:
        sql("select pgflow.create_flow(%s)", slug)
    assert caught.value.diag.constraint_name == "slug_is_valid"


@pytest.mark.parametrize(
    ("options", "constraint"),
    [
        ("-1, 5, 60", "opt_max_attempts_is_nonnegative"),
        ("3, -1, 60", "opt_base_delay_is_nonnegative"),
        ("3, 5, 0", "opt_timeout_is_positive"),
    ],
)
def test_an_option_out_of_range_breaks_the_published_constraint(
    sql: Session, options: str, constraint: str
) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation) as caught:
        sql(f"select pgflow.create_flow('order', {options})")
    assert caught.value.diag.constraint_name == constraint
    assert sql("select * from pgflow.flows") == []


def test_it_works_with_any_search_path(sql: Session) -> None:
    sql("set search_path to ''")
    assert sql.value("select flow_slug from pgflow.create_flow('order')") == "order"
